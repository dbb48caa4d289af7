// Package report turns what runs have shown into medians, spreads, ratios, tables and plots.
package report

import (
	"cmp"
	"slices"
)

// Values are a run's figures, by the keys of [Columns].
type Values map[string]float64

// Row is what one run of one peer showed.
type Row struct {
	Workload string `json:"workload"`
	// Point is where on a curve, such as a number of subscribers; 0 where there is none.
	Point  int    `json:"point,omitempty"`
	Peer   string `json:"peer"`
	Run    int    `json:"run"`
	Values Values `json:"values"`
}

// Rows are all rows of a report.
type Rows []Row

// Figure is a value over several runs.
type Figure struct{ Median, Min, Max float64 }

// figure is that of some values; false for none.
func figure(values []float64) (Figure, bool) {
	if len(values) == 0 {
		return Figure{}, false
	}
	values = slices.Sorted(slices.Values(values))
	middle := values[len(values)/2]
	if len(values)%2 == 0 {
		middle = (values[len(values)/2-1] + middle) / 2
	}
	return Figure{middle, values[0], values[len(values)-1]}, true
}

// place is where a row stands in a report.
type place struct {
	workload string
	point    int
	peer     string
}

func (r Row) place() place { return place{r.Workload, r.Point, r.Peer} }

// figure is that of a column at a place.
func (rows Rows) figure(at place, key string) (Figure, bool) {
	var values []float64
	for _, r := range rows {
		if v, has := r.Values[key]; has && r.place() == at {
			values = append(values, v)
		}
	}
	return figure(values)
}

// ratio is that of two columns, run by run.
func (rows Rows) ratio(a place, key string, b place, keyB string) (Figure, bool) {
	var values []float64
	for _, r := range rows {
		for _, other := range rows {
			if r.place() == a && other.place() == b && r.Run == other.Run && other.Values[keyB] > 0 {
				values = append(values, r.Values[key]/other.Values[keyB])
			}
		}
	}
	return figure(values)
}

// places are those of a workload, in the order in which they came first, points ascending.
func (rows Rows) places(workload string) []place {
	var places []place
	for _, r := range rows {
		if r.Workload == workload && !slices.Contains(places, r.place()) {
			places = append(places, r.place())
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return cmp.Compare(a.point, b.point) })
	return places
}
