package eventlog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/eventlog"
)

func TestIntervalsUntil(t *testing.T) {
	for _, all := range []eventlog.Intervals{
		nil, eventlog.Everything(), {{From: 3}}, {{From: 0, To: 2}, {From: 4}}, {{From: 1, To: 2}, {From: 2, To: 5}, {From: 7, To: 9}},
	} {
		for until := range uint64(12) {
			got := all.Until(until)
			for offset := range uint64(14) {
				if want := offset <= until && all.Contains(offset); got.Contains(offset) != want {
					t.Errorf("%v until %d is %v: contains %d: %v", all, until, got, offset, !want)
				}
			}
			if diff := cmp.Diff(got, got.Until(until)); diff != "" {
				t.Errorf("%v until %d, twice: %s", all, until, diff)
			}
		}
	}
}
