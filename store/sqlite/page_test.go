package sqlite

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		if len(got) == 0 {
			return
		}
		all := seqs(readable)
		if before != (all[0] < got[0]) || after != (all[len(all)-1] > got[len(got)-1]) {
			t.Fatalf("%v of %v: before %v, after %v", got, all, before, after)
		}
	})
}

func TestPaginateAroundAnEmptyPage(t *testing.T) {
	readable := []span{{3, 4}, {8, 9}}
	type flags struct{ Before, After bool }
	for name, c := range map[string]struct {
		q    chat.MessageQuery
		want flags
	}{
		"between spans":              {chat.MessageQuery{After: 4, Before: 8, Limit: 5}, flags{true, true}},
		"between spans, backwards":   {chat.MessageQuery{After: 4, Before: 8, Limit: 5, FromEnd: true}, flags{true, true}},
		"before all":                 {chat.MessageQuery{Before: 3, Limit: 5}, flags{false, true}},
		"before all, backwards":      {chat.MessageQuery{Before: 3, Limit: 5, FromEnd: true}, flags{false, true}},
		"after all":                  {chat.MessageQuery{After: 9, Limit: 5}, flags{true, false}},
		"far after all":              {chat.MessageQuery{After: 1 << 63, Limit: 5}, flags{true, false}},
		"of nothing, from the end":   {chat.MessageQuery{FromEnd: true}, flags{true, false}},
		"of nothing, from the start": {chat.MessageQuery{}, flags{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			taken, before, after := paginate(readable, c.q, 10)
			if len(taken) > 0 {
				t.Errorf("took %v", taken)
			}
			if diff := cmp.Diff(c.want, flags{before, after}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
