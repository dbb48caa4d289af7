package sqlite

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"parley/chat"
)

// drawSpans draws readable spans of a room, ascending and apart.
func drawSpans(t *rapid.T, lastSeq uint64) (spans []span) {
	edges := rapid.SliceOfNDistinct(rapid.Uint64Range(1, lastSeq+1), 0, 8, rapid.ID[uint64]).Draw(t, "edges")
	slices.Sort(edges)
	for i := 0; i+1 < len(edges); i += 2 {
		spans = append(spans, span{edges[i], edges[i+1] - 1})
	}
	return spans
}

func seqs(spans []span) (all []uint64) {
	for _, s := range spans {
		for seq := s.first; seq <= s.last; seq++ {
			all = append(all, seq)
		}
	}
	return all
}

func TestPaginateTakesWhatFilteringWould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const lastSeq = 20
		readable := drawSpans(t, lastSeq)
		q := chat.MessageQuery{
			After:   rapid.Uint64Range(0, lastSeq+2).Draw(t, "after"),
			Before:  rapid.Uint64Range(0, lastSeq+2).Draw(t, "before"),
			Limit:   rapid.IntRange(0, 6).Draw(t, "limit"),
			FromEnd: rapid.Bool().Draw(t, "from the end"),
		}
		var want []uint64
		for _, seq := range seqs(readable) {
			if seq > q.After && (q.Before == 0 || seq < q.Before) {
				want = append(want, seq)
			}
		}
		if q.FromEnd {
			want = want[max(0, len(want)-q.Limit):]
		} else {
			want = want[:min(len(want), q.Limit)]
		}
		taken, before, after := paginate(readable, q, lastSeq)
		got := seqs(taken)
		if !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		edge := span{q.After + 1, lastSeq}
		if q.Before != 0 {
			edge.last = q.Before - 1
		}
		if len(got) > 0 {
			edge = span{got[0], got[len(got)-1]}
		}
		var wantBefore, wantAfter bool
		for _, seq := range seqs(readable) {
			wantBefore = wantBefore || seq < edge.first
			wantAfter = wantAfter || seq > edge.last
		}
		if before != wantBefore || after != wantAfter {
			t.Fatalf("%v of %v: before %v, after %v, want %v, %v", got, readable, before, after, wantBefore, wantAfter)
		}
	})
}
