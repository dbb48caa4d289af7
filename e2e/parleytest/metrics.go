package parleytest

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Metric reads a metric of the server, all its label sets added up; 0 for one that isn't there.
func (n *Node) Metric(t testing.TB, name string) float64 {
	t.Helper()
	response, err := http.Get(n.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	sum := 0.0
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		sample, value, ok := strings.Cut(lines.Text(), " ")
		if bare, _, _ := strings.Cut(sample, "{"); !ok || bare != name {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}
