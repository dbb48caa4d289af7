package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is all that one call of the command showed.
type Report struct {
	Begun   time.Time     `json:"begun"`
	Took    time.Duration `json:"took"`
	Machine string        `json:"machine"`
	Runs    int           `json:"runs"`
	Quick   bool          `json:"quick"`
	// Anew are workloads that were measured again by themselves, and when.
	Anew map[string]time.Time `json:"anew,omitempty"`
	Rows Rows                 `json:"rows"`
}

// With returns the report with rows that were measured since, in place of all that it has of their workloads.
func (r Report) With(rows Rows, begun time.Time) Report {
	r.Anew = maps.Clone(r.Anew)
	if r.Anew == nil {
		r.Anew = map[string]time.Time{}
	}
	anew := map[string]bool{}
	for _, row := range rows {
		anew[row.Workload], r.Anew[row.Workload] = true, begun
	}
	kept := slices.DeleteFunc(slices.Clone(r.Rows), func(row Row) bool { return anew[row.Workload] })
	r.Rows = append(kept, rows...)
	return r
}

// JSON is the report as a file, a row on each line.
func (r Report) JSON() (string, error) {
	var b strings.Builder
	head := r
	head.Rows = nil
	text, err := json.Marshal(head)
	if err != nil {
		return "", err
	}
	b.WriteString(strings.TrimSuffix(string(text), "null}") + "[")
	for i, row := range r.Rows {
		if text, err = json.Marshal(row); err != nil {
			return "", err
		}
		b.WriteString(",\n"[min(i, 1)^1:] + string(text))
	}
	b.WriteString("\n]}\n")
	return b.String(), nil
}

// Column is one of a table.
type Column struct {
	Key, Title string
	// Decimals are those of its figures.
	Decimals int
}

// columns are all there are, by key.
var columns = map[string]Column{}

func init() {
	for _, c := range []Column{
		{"cpu", "CPU µs per delivery", 2}, {"cpuPublish", "CPU µs per publish", 0}, {"rate", "deliveries/s", 0}, {"publishes", "publishes/s", 0},
		{"p50", "p50 ms", 1}, {"p99", "p99 ms", 1}, {"batch", "deliveries per write", 2}, {"bytes", "bytes per delivery", 0},
		{"redis", "Redis µs per publish", 0}, {"server", "server % of a core", 0}, {"generator", "generator % of a core", 0}, {"others", "others % of a core", 0},
		{"lost", "lost", 0}, {"duplicated", "duplicated", 0}, {"disordered", "out of order", 0}, {"ended", "disconnected", 0},
		{"memory", "KiB per connection", 2}, {"start", "MiB at the start", 1}, {"resident", "MiB at the end", 1},
		{"p99Before", "p99 ms before", 1}, {"lags", "lags", 0}, {"caughtUp", "caught up in s", 1},
		{"memoryStart", "MiB before", 0}, {"memoryHalf", "third quarter", 0}, {"memoryEnd", "last quarter", 0},
		{"socketsStart", "sockets MiB before", 1}, {"socketsHalf", "third quarter", 1}, {"socketsEnd", "last quarter", 1},
		{"requests", "requests/s", 0}, {"kilobytes", "KiB/s", 0}, {"redisShare", "Redis % of a core", 0},
	} {
		columns[c.Key] = c
	}
}

// section is a workload's table.
type section struct {
	workload, title, point string
	columns                []string
}

var (
	delivered = []string{"lost", "duplicated", "disordered", "ended"}
	traffic   = []string{"rate", "p50", "p99", "batch", "bytes", "redis", "server", "generator", "others"}
	sections  = []section{
		{"W1", "one room of 1,000, four publishers, each sends its next when all have its last", "", join([]string{"cpu"}, traffic, delivered)},
		{"W2", "one room of 5,000, two messages a second", "", join([]string{"cpu"}, traffic, delivered)},
		{"W3", "10,000 idle connections in 100 rooms", "", []string{"memory", "start", "resident", "ended"}},
		{"W4", "500 rooms of 4, 16 publishers", "", join([]string{"cpuPublish", "publishes"}, traffic[1:], delivered)},
		{"W5", "W1 by server-sent events over HTTP/1.1", "", join([]string{"cpu"}, traffic, delivered)},
		{"W6", "100 of 1,000 readers stand still for a while", "", join([]string{
			"p99Before", "p99", "others", "lags", "caughtUp", "memoryStart", "memoryHalf", "memoryEnd", "socketsStart", "socketsHalf", "socketsEnd",
		}, delivered)},
		{"W7 followers", "more followers of one room, as many deliveries a second", "followers", join([]string{"cpu"}, traffic, delivered)},
		{"W7 rooms", "more rooms of 4, 400 messages a second", "rooms", join([]string{"cpuPublish"}, traffic, delivered)},
		{"W8", "10,000 clients in 100 rooms, 10 messages a second", "", join([]string{
			"requests", "server", "redisShare", "kilobytes", "p50", "p99", "generator", "others",
		}, delivered)},
	}
)

func join(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// quiet is how much of a core other programs may use, in percent, before it is worth telling.
const quiet = 15

// Markdown is the report as a page.
func (r Report) Markdown() string {
	var b strings.Builder
	b.WriteString("# Results\n\n")
	runs := fmt.Sprintf("%d runs", r.Runs)
	if r.Runs == 1 {
		runs = "one run"
	}
	fmt.Fprintf(&b, "%s; %s in %s on %s. ", r.Begun.UTC().Format("2 January 2006"), runs, r.Took.Round(time.Second), r.Machine)
	b.WriteString("Medians, and in brackets the least and the most. [What is measured, and how](../README.md).\n")
	for _, workload := range slices.Sorted(maps.Keys(r.Anew)) {
		fmt.Fprintf(&b, "%s was measured again on %s.\n", workload, r.Anew[workload].UTC().Format("2 January 2006, 15:04 MST"))
	}
	if r.Quick {
		b.WriteString("\n**A quick run: less time, and a fifth of the connections in W3, W7 and W8. Its figures are rough.**\n")
	}
	if others := r.Rows.others(); others.Max > quiet {
		fmt.Fprintf(&b, "\n**The machine wasn't quiet: other programs used %s %% of a core meanwhile.**\n", others.text(0))
	}
	r.reached(&b)
	for _, s := range sections {
		r.section(&b, s)
	}
	return b.String()
}

func (r Report) section(b *strings.Builder, s section) {
	places := r.Rows.places(s.workload)
	if len(places) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s: %s\n\n", s.workload, s.title)
	for _, name := range plotsOf(s.workload) {
		fmt.Fprintf(b, "![%s](%s)\n\n", s.title, name)
	}
	first := "| "
	if s.point != "" {
		first = "| " + s.point + " | "
	}
	b.WriteString(first)
	for _, key := range s.columns {
		b.WriteString("| " + columns[key].Title + " ")
	}
	b.WriteString("|\n|" + strings.Repeat(" --- |", strings.Count(first, "|")) + strings.Repeat(" ---: |", len(s.columns)) + "\n")
	for _, at := range places {
		b.WriteString("| ")
		if s.point != "" {
			fmt.Fprintf(b, "%d | ", at.point)
		}
		b.WriteString(at.peer + " ")
		for _, key := range s.columns {
			text := "—"
			if f, measured := r.Rows.figure(at, key); measured {
				text = f.text(columns[key].Decimals)
			}
			b.WriteString("| " + text + " ")
		}
		b.WriteString("|\n")
	}
	if s.workload == "W8" {
		r.saved(b)
	}
}

// saved says what the others save of what polling costs.
func (r Report) saved(b *strings.Builder) {
	polling := place{workload: "W8", peer: "polling"}
	keys := []string{"requests", "server", "redisShare", "kilobytes"}
	b.WriteString("\nLess than polling alone, in percent:\n\n| |")
	for _, key := range keys {
		b.WriteString(" " + columns[key].Title + " |")
	}
	b.WriteString("\n| --- |" + strings.Repeat(" ---: |", len(keys)) + "\n")
	for _, at := range r.Rows.places("W8") {
		if at == polling {
			continue
		}
		b.WriteString("| " + at.peer + " |")
		for _, key := range keys {
			f, _ := r.Rows.ratio(at, key, polling, key)
			b.WriteString(" " + Figure{100 - 100*f.Median, 100 - 100*f.Max, 100 - 100*f.Min}.text(0) + " |")
		}
		b.WriteString("\n")
	}
}

// text is a figure, with its spread if there is one to see.
func (f Figure) text(decimals int) string {
	number := func(v float64) string { return fmt.Sprintf("%.*f", decimals, v) }
	text := number(f.Median)
	if low, high := number(f.Min), number(f.Max); low != high {
		text += " (" + low + "–" + high + ")"
	}
	return text
}

// String shows a row on one line.
func (r Row) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-11s", r.Workload, r.Peer)
	if r.Point > 0 {
		fmt.Fprintf(&b, " %d", r.Point)
	}
	for _, s := range sections {
		if s.workload != r.Workload {
			continue
		}
		for _, key := range s.columns {
			if v, has := r.Values[key]; has {
				fmt.Fprintf(&b, "  %s %.*f", key, columns[key].Decimals, v)
			}
		}
	}
	return b.String()
}
