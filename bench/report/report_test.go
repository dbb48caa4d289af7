package report

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func some(workload, peer, key string, values ...float64) (rows Rows) {
	for i, v := range values {
		rows = append(rows, Row{Workload: workload, Peer: peer, Run: i + 1, Values: Values{key: v}})
	}
	return rows
}

func TestFigure(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   Figure
	}{
		{[]float64{3, 1, 2}, Figure{2, 1, 3}},
		{[]float64{4, 1, 2, 3}, Figure{2.5, 1, 4}},
		{[]float64{7}, Figure{7, 7, 7}},
	} {
		if got, ok := figure(test.values); !ok || got != test.want {
			t.Errorf("%v: %v", test.values, got)
		}
	}
	if _, ok := figure(nil); ok {
		t.Error("a figure of nothing")
	}
}

// Ratios are of the same run: a machine that slows down between two runs changes nothing.
func TestRatioIsWithinRuns(t *testing.T) {
	rows := append(some("W1", "parley", "cpu", 5, 50, 500), some("W1", "bare", "cpu", 10, 100, 1000)...)
	got, ok := against("W1", "parley", "cpu", "bare", "cpu")(rows)
	if !ok || got != (Figure{.5, .5, .5}) {
		t.Errorf("%v", got)
	}
	if _, ok := against("W1", "parley", "cpu", "gqlgen", "cpu")(rows); ok {
		t.Error("a ratio to what wasn't measured")
	}
}

func TestPublishLimit(t *testing.T) {
	rows := some("W4", "parley", "cpuPublish", 80, 220)
	rows = append(rows, some("W4", "centrifuge", "cpuPublish", 100, 100)...)
	rows = append(rows, some("W4", "bare", "cpuPublish", 50, 100)...)
	if got, ok := publishLimit(rows); !ok || got.text(2) != "1.50 (1.00–2.00)" {
		t.Errorf("%v: of 0.8 × 100, then of 1.1 × 100", got)
	}
}

// What is measured again replaces all there was of its workload, and that is told.
func TestReportWith(t *testing.T) {
	before := Report{Runs: 2, Rows: append(some("W1", "parley", "cpu", 5, 6), some("W4", "bare", "cpuPublish", 9, 9)...)}
	again := time.Date(2026, 11, 26, 12, 30, 0, 0, time.UTC)
	after := before.With(some("W4", "bare", "cpuPublish", 7), again)
	if want := append(some("W1", "parley", "cpu", 5, 6), some("W4", "bare", "cpuPublish", 7)...); !reflect.DeepEqual(after.Rows, want) {
		t.Errorf("%v", after.Rows)
	}
	if len(before.Rows) != 4 || before.Anew != nil {
		t.Errorf("the one before has become %v", before)
	}
	if page := after.Markdown(); !strings.Contains(page, "W4 was measured again on 26 November 2026, 12:30 UTC.") || strings.Contains(page, "W1 was") {
		t.Error(page)
	}
}

func TestReport(t *testing.T) {
	rows := append(some("W1", "parley", "cpu", 5, 6, 9), some("W1", "bare", "cpu", 10, 10, 10)...)
	for i, v := range []float64{20, 10, 40} {
		rows = append(rows, Row{Workload: "W7 rooms", Point: []int{100, 1, 5000}[i], Peer: "parley", Run: 1, Values: Values{"cpuPublish": v}})
	}
	for peer, v := range map[string]float64{"polling": 100, "stream + polling": 30, "stream": 5} {
		rows = append(rows, Row{Workload: "W8", Peer: peer, Run: 1, Values: Values{"requests": v, "server": v / 2}})
	}
	r := Report{Rows: rows, Runs: 3}
	page := r.Markdown()
	for _, want := range []string{
		"| parley | 6.00 (5.00–9.00) |", "| W1, CPU per delivery, of bare | ≤ 0.6 | 0.60 (0.50–0.90) | reached |",
		"of the fewest | ≤ 1.25 | 4.00 | **not reached** |", "| 1 | parley | 10 |", "| stream | 95 | 95 |", "![", "(w1.svg)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if strings.Index(page, "| 1 | parley") > strings.Index(page, "| 5000 | parley") {
		t.Error("the points aren't in order")
	}
	plots := r.Plots()
	if len(plots) != 3 {
		t.Errorf("%d plots", len(plots))
	}
	for name, text := range plots {
		d := xml.NewDecoder(strings.NewReader(text))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s has numbers that are none", name)
		}
	}
	text, err := r.JSON()
	var back Report
	if err := errors.Join(err, json.Unmarshal([]byte(text), &back)); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("it comes back as %+v, %v", back, err)
	}
	for _, s := range sections {
		for _, key := range s.columns {
			if columns[key].Title == "" {
				t.Errorf("%s: no column %s", s.workload, key)
			}
		}
	}
}
