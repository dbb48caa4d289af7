// Bench measures Parley beside its peers: the CPU time that a server uses for each delivery, above all.
//
//	go run . -parley BINARY -bare BINARY [-redis URL] [-runs 3] [-only W1]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// row is what one run of a workload showed.
type row struct {
	deliveries int64
	cpu        time.Duration // of the server, for each delivery
	rate       float64       // deliveries a second
	p50, p99   time.Duration // from sending until the last follower has it
	strange    int64
	frame      int // bytes of an event
	resident   int // KiB of the server, at the end
}

func main() {
	binary := flag.String("parley", "", "Parley's binary")
	limit := flag.String("bare", "", "binary of servers/bare")
	redis := flag.String("redis", "", "URL of a Redis for those who use one")
	runs := flag.Int("runs", 3, "how often each is measured, in turn")
	only := flag.String("only", "W1 W2", "workloads")
	during := flag.Duration("during", 8*time.Second, "how long a workload is measured")
	frame := flag.Int("frame", 330, "bytes of the bare server's frames")
	flag.Parse()
	peers := []peer{parley(*binary), bare(*limit, 1, *frame), bare(*limit, 16, *frame)}
	workloads := []fanOut{
		{name: "W1", followers: 1000, publishers: 4, warmUp: 2 * time.Second, during: *during},
		{name: "W2", followers: 5000, publishers: 1, pace: 500 * time.Millisecond, warmUp: 2 * time.Second, during: *during},
	}
	failed := false
	fmt.Printf("%-4s %-10s %9s %12s %9s %9s %8s %6s %8s\n", "", "", "µs CPU", "deliveries/s", "p50 ms", "p99 ms", "strange", "frame", "RSS MiB")
	for _, w := range workloads {
		if !strings.Contains(*only, w.name) {
			continue
		}
		for range *runs {
			for _, p := range peers {
				if err := measure(w, p, *redis); err != nil {
					fmt.Fprintf(os.Stderr, "%s %s: %v\n", w.name, p.name, err)
					failed = true
				}
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}

func measure(w fanOut, p peer, redis string) error {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	server, client, err := p.start(ctx, redis)
	if err != nil {
		return err
	}
	defer server.stop()
	r, err := w.run(ctx, server, client)
	if err != nil {
		return err
	}
	fmt.Printf("%-4s %-10s %9.2f %12.0f %9.2f %9.2f %8d %6d %8.1f\n",
		w.name, p.name, float64(r.cpu.Nanoseconds())/1e3, r.rate, ms(r.p50), ms(r.p99), r.strange, r.frame, float64(r.resident)/1024)
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
