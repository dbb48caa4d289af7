package sqlite_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"parley/chat"
	"parley/eventlog"
	"parley/store/sqlite"
)

// text is a message of a usual length.
var text = strings.Repeat("text ", 20)

// BenchmarkAppend sends messages with idempotency keys into 8 rooms, from one sender or many at a time.
func BenchmarkAppend(b *testing.B) {
	for _, senders := range []int{1, 4, 64} {
		for _, synchronous := range []string{"NORMAL", "FULL"} {
			b.Run(fmt.Sprintf("senders=%d/%s", senders, synchronous), func(b *testing.B) {
				s := open(b, sqlite.Options{Dir: b.TempDir(), Synchronous: synchronous})
				rooms := make([]string, 8)
				for i := range rooms {
					rooms[i] = group(b, s)
				}
				b.ReportAllocs()
				b.ResetTimer()
				benchAppend(b, s, rooms, senders)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
			})
		}
	}
}

func benchAppend(b *testing.B, s *sqlite.Store, rooms []string, senders int) {
	var all sync.WaitGroup
	var next atomic.Int64
	for range senders {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				a := sending(rooms[n%int64(len(rooms))], text, fmt.Sprint(n))
				if _, err := s.Append(b.Context(), a); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkRead reads 50 entries, or 50 messages, from the middle of a log.
func BenchmarkRead(b *testing.B) {
	s := open(b, sqlite.Options{Dir: b.TempDir()})
	room := group(b, s)
	var middle eventlog.Position
	for n := range 1000 {
		done, err := s.Append(b.Context(), sending(room, text, ""))
		if err != nil {
			b.Fatal(err)
		}
		if n == 500 {
			middle = done.Event.Position
		}
	}
	b.Run("log", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Read(b.Context(), room, middle, 50); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("messages", func(b *testing.B) {
		b.ReportAllocs()
		q := chat.MessageQuery{RoomID: room, After: 500, Limit: 50, Readable: eventlog.Everything()}
		for b.Loop() {
			if _, err := s.Messages(b.Context(), q); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("view", func(b *testing.B) {
		b.ReportAllocs()
		q := chat.ViewQuery{RoomID: room, Users: []string{ada.ID}, Sender: ada.ID, ClientID: "none"}
		for b.Loop() {
			if _, err := s.View(b.Context(), q); err != nil {
				b.Fatal(err)
			}
		}
	})
}
