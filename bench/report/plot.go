package report

import (
	"fmt"
	"html"
	"strings"
)

// plot is a drawing of one column.
type plot struct {
	file, workload, key, title string
	// curve says that the points are joined by a line, each of them named by its number.
	curve bool
}

var plots = []plot{
	{"w1.svg", "W1", "cpu", "W1: server CPU µs per delivery", false},
	{"w2.svg", "W2", "cpu", "W2: server CPU µs per delivery", false},
	{"w3.svg", "W3", "memory", "W3: KiB per idle connection", false},
	{"w4.svg", "W4", "cpuPublish", "W4: server CPU µs per publish to 4", false},
	{"w7-followers.svg", "W7 followers", "cpu", "W7: server CPU µs per delivery, by followers of one room", true},
	{"w7-rooms.svg", "W7 rooms", "cpuPublish", "W7: server CPU µs per publish, by rooms of 4", true},
	{"w8.svg", "W8", "server", "W8: server CPU, % of a core, for 10,000 clients", false},
}

func plotsOf(workload string) (files []string) {
	for _, p := range plots {
		if p.workload == workload {
			files = append(files, p.file)
		}
	}
	return files
}

// Plots are drawings of the results as SVG, by file name.
func (r Report) Plots() map[string]string {
	files := map[string]string{}
	for _, p := range plots {
		var bars []bar
		for _, at := range r.Rows.places(p.workload) {
			f, measured := r.Rows.figure(at, p.key)
			if !measured {
				continue
			}
			name := at.peer
			if p.curve {
				name = fmt.Sprint(at.point)
			}
			bars = append(bars, bar{name, f, strings.HasPrefix(at.peer, "parley") || strings.HasPrefix(at.peer, "stream")})
		}
		if len(bars) > 0 {
			files[p.file] = draw(p.title, bars, columns[p.key].Decimals, p.curve)
		}
	}
	return files
}

type bar struct {
	name string
	Figure
	ours bool
}

// Sizes in the drawings, in pixels.
const (
	width, margin, top = 760, 190, 44
	row, thick         = 30, 18
	curveHeight        = 220
)

const style = `<style>text{font:13px system-ui,sans-serif;fill:#334}.t{font-size:15px;font-weight:600}.o{fill:#2563eb}.p{fill:#a3adbd}` +
	`.s{stroke:#334;stroke-width:1.5}.l{fill:none;stroke:#2563eb;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#cdd}.s{stroke:#cdd}}</style>`

// draw draws bars, or a curve through them, each with its median and a whisker from the least to the most.
func draw(title string, bars []bar, decimals int, curve bool) string {
	most := 0.
	for _, b := range bars {
		most = max(most, b.Max)
	}
	most = max(most, 1e-9)
	height := top + row*len(bars) + 10
	if curve {
		height = top + curveHeight + 40
	}
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">%s`, width, height, width, height, style)
	fmt.Fprintf(&s, `<title>%s</title><text class="t" x="12" y="24">%s</text>`, html.EscapeString(title), html.EscapeString(title))
	if curve {
		drawCurve(&s, bars, decimals, most)
	} else {
		drawBars(&s, bars, decimals, most)
	}
	s.WriteString("</svg>\n")
	return s.String()
}

func drawBars(s *strings.Builder, bars []bar, decimals int, most float64) {
	scale := float64(width-margin-150) / most
	for i, b := range bars {
		y, class := top+row*i, "p"
		if b.ours {
			class = "o"
		}
		middle := y + thick/2
		fmt.Fprintf(s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, margin-10, middle+5, html.EscapeString(b.name))
		fmt.Fprintf(s, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`, class, margin, y, b.Median*scale, thick)
		fmt.Fprintf(s, `<path class="s" d="M%.1f %dH%.1f"/>`, margin+b.Min*scale, middle, margin+b.Max*scale)
		fmt.Fprintf(s, `<text x="%.1f" y="%d">%.*f</text>`, margin+b.Max*scale+8, middle+5, decimals, b.Median)
	}
}

// drawCurve puts the points at equal distances, from 0 upwards.
func drawCurve(s *strings.Builder, bars []bar, decimals int, most float64) {
	scale, bottom := float64(curveHeight-20)/most, float64(top+curveHeight)
	step := float64(width-160) / float64(max(1, len(bars)-1))
	var line strings.Builder
	fmt.Fprintf(s, `<path class="s" d="M60 %.1fH%d"/>`, bottom, width-60)
	for i, b := range bars {
		x, y := 80+step*float64(i), bottom-b.Median*scale
		fmt.Fprintf(&line, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
		fmt.Fprintf(s, `<path class="s" d="M%.1f %.1fV%.1f"/><circle class="o" cx="%.1f" cy="%.1f" r="4"/>`, x, bottom-b.Min*scale, bottom-b.Max*scale, x, y)
		fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="middle">%.*f</text>`, x, bottom-b.Max*scale-8, decimals, b.Median)
		fmt.Fprintf(s, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x, bottom+20, html.EscapeString(b.name))
	}
	fmt.Fprintf(s, `<path class="l" d="%s"/>`, line.String())
}
