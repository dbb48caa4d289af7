package delivery_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/delivery"
)

// TestOutage: while the store is away thousands wait for it, asking less and less often, and
// operators are told now and then, not by each of them.
func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told notebook
		w := world{T: t, log: newFakeLog()}
		w.log.create(room)
		w.hub = delivery.NewHub(w.log, delivery.Options{Log: slog.New(slog.NewTextHandler(&told, nil))})
		defer w.hub.Close()
		w.subscribe(forOne("ada"))
		w.settle()
		var clients []*client
		all := silentNotes(w, 3, false)
		w.log.set(func(l *fakeLog) { l.down = true })
		for range 100 {
			clients = append(clients, w.subscribe(forOne("bob")))
		}
		before, _ := w.log.count()
		time.Sleep(time.Minute)
		if reads, _ := w.log.count(); reads-before < 100*30 || reads-before > 100*80 {
			t.Errorf("%d readings by 100 subscriptions within a minute", reads-before)
		}
		if n := told.count("store doesn't answer"); n < 5 || n > 7 {
			t.Errorf("operators were told %d times within a minute", n)
		}
		w.log.set(func(l *fakeLog) { l.down = false })
		time.Sleep(3 * time.Second)
		for _, c := range clients {
			c.saw(names(all...)...)
		}
	})
}

// notebook is what was logged.
type notebook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (n *notebook) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notebook) count(words string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Count(n.text.String(), words)
}
