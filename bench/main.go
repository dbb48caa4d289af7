// Bench measures Parley beside its peers: above all, the CPU time that a server uses for each delivery.
//
//	bench -bin FOLDER [-only "W1 W2"] [-peers "parley,bare"] [-runs 3] [-quick] [-results FOLDER] [-profile FILE]
//	bench -from results.json [-only "W1 W2"] -results FOLDER
//
// FOLDER has the binaries of Parley and of servers/; "make bench" builds them. README.md says what is measured, and how.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"parley/bench/report"
)

// bench is one call of the command.
type bench struct {
	bin, servers string
	profile      string
	quick        bool
	only, peers  []string
	runs         int
	rows         report.Rows
	failed       bool
}

func main() {
	log.SetFlags(log.Ltime)
	b := &bench{}
	only, names, results := "", "", ""
	hold := flag.Bool("hold", false, "used by W3, whose servers stand side by side: tell when all have subscribed, and print rows as JSON")
	flag.StringVar(&b.bin, "bin", "../.bin", "folder of the binaries")
	flag.StringVar(&b.servers, "servers", "servers", "folder of the peers' sources")
	flag.StringVar(&only, "only", "", "workloads, separated by spaces; empty for all")
	flag.StringVar(&names, "peers", "", "peers, separated by commas; empty for all")
	from := flag.String("from", "", "file of results to report again; only the workloads of -only are measured then, in place of what it has of them")
	flag.StringVar(&results, "results", "", "folder to write table, plots and rows to; empty for none")
	flag.IntVar(&b.runs, "runs", 3, "how often everything is measured, in turn")
	flag.BoolVar(&b.quick, "quick", false, "fewer connections and less time, for development: figures are rough, and not comparable")
	flag.StringVar(&b.profile, "profile", "", "file for a CPU profile of Parley while it is measured, which costs it a little")
	flag.Parse()
	b.only, b.peers = strings.Fields(only), strings.FieldsFunc(names, func(c rune) bool { return c == ',' })
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *hold {
		if err := b.beHolder(ctx); err != nil {
			log.Fatal(err)
		}
		return
	}
	r, err := b.report(ctx, *from)
	if err == nil {
		err = write(r, results)
	}
	if err != nil {
		log.Fatal(err)
	}
	if b.failed || ctx.Err() != nil {
		os.Exit(1)
	}
}

// workloads are those that were asked for.
func (b *bench) workloads() []workload {
	z := full
	if b.quick {
		z = quick
	}
	return slices.DeleteFunc(z.workloads(), func(w workload) bool {
		return len(b.only) > 0 && !slices.Contains(b.only, strings.Fields(w.name)[0])
	})
}

// run runs a workload once for each of its peers, in turn.
func (b *bench) run(ctx context.Context, w workload, run int) {
	if w.beside {
		b.beside(ctx, w, run)
		return
	}
	for _, p := range b.peersOf(w) {
		if ctx.Err() != nil {
			return
		}
		values, err := b.measure(ctx, w, p, nil)
		b.add(report.Row{Workload: w.name, Point: w.point, Peer: p.name, Run: run, Values: values}, err)
	}
}

// peersOf are the workload's peers that were asked for.
func (b *bench) peersOf(w workload) []peer {
	return slices.DeleteFunc(peers(), func(p peer) bool {
		return !slices.Contains(w.peers, p.name) || len(b.peers) > 0 && !slices.Contains(b.peers, p.name)
	})
}

// add keeps a row and shows it.
func (b *bench) add(row report.Row, err error) {
	if err != nil {
		b.failed = true
		log.Printf("%s %s: %v", row.Workload, row.Peer, err)
		return
	}
	b.rows = append(b.rows, row)
	log.Printf("run %d  %s", row.Run, row)
}

// measure starts a peer on a Redis of its own, and runs a workload on it. Subscribed, if not nil, is called
// when all have subscribed.
func (b *bench) measure(ctx context.Context, w workload, p peer, subscribed func()) (report.Values, error) {
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	redis, addr, err := startRedis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.stop()
	s, err := p.start(ctx, environment{
		folder: b.bin, servers: b.servers, redis: addr, plan: w.plan, more: w.settings, frame: parleyEnvelope,
	})
	if err != nil {
		return nil, err
	}
	defer s.close()
	values, err := w.run(ctx, &rig{
		server: s, redis: redis, plan: w.plan, threads: max(1, runtime.NumCPU()/2), subscribed: subscribed, profile: b.profile,
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.log.String())
	}
	return values, nil
}

// report measures everything that was asked for, and reads the rest from what was measured before, if that is given.
func (b *bench) report(ctx context.Context, from string) (r report.Report, err error) {
	if from != "" {
		text, err := os.ReadFile(from)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil || len(b.only) == 0 {
			return r, err
		}
	}
	began := time.Now()
	for run := range b.runs {
		for _, w := range b.workloads() {
			b.run(ctx, w, run+1)
		}
	}
	if from != "" {
		return r.With(b.rows, began), nil
	}
	return report.Report{
		Quick: b.quick, Runs: b.runs, Begun: began, Machine: machine(), Rows: b.rows, Took: time.Since(began),
	}, nil
}

// write shows a report, and writes it into a folder if there is one.
func write(r report.Report, folder string) error {
	fmt.Println(r.Markdown())
	if folder == "" {
		return nil
	}
	rows, err := r.JSON()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	files := r.Plots()
	files["README.md"], files["results.json"] = r.Markdown(), rows
	for name, content := range files {
		if err := os.WriteFile(folder+"/"+name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// machine says what everything ran on.
func machine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease") // it is only told
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	_, model, _ := strings.Cut(string(cpus), "model name\t: ")
	model, _, _ = strings.Cut(model, "\n")
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version())
}
