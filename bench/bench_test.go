package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"parley/bench/report"
)

// smoke is every workload for a moment with hardly anybody, so that it stays sound.
var smoke = size{
	traffic: 250, crowds: 250, warmUp: 20 * time.Millisecond, during: 150 * time.Millisecond, haste: 20, idle: 50 * time.Millisecond,
	stop: 100 * time.Millisecond, alone: 200 * time.Millisecond, beside: 200 * time.Millisecond,
}

// build builds servers into a folder: Parley, and those of servers/.
func build(t *testing.T, names ...string) (folder string) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("there is no redis-server: make bench-test installs it")
	}
	folder = t.TempDir()
	for _, name := range names {
		cmd := exec.Command("go", "build", "-o", folder+"/"+name, ".")
		if cmd.Dir = "servers/" + name; name == "parley" {
			cmd.Dir = ".."
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	t.Setenv("TMPDIR", t.TempDir())
	return folder
}

// The peers' protocols are spoken right: everything arrives.
func TestPeers(t *testing.T) {
	b := &bench{bin: build(t, "centrifuge", "gqlgen"), servers: "servers", quick: true, runs: 1}
	_, err := os.Stat("servers/node/node_modules")
	ours := []string{"parley", "parley deflate", "parley http", "parley sse", "bare", "bare ×16"} // TestEveryWorkload has them
	for _, w := range smoke.workloads() {
		if w.name != "W1" && w.name != "W7 rooms" && w.name != "W3" {
			continue
		}
		w.peers = sockets
		for _, p := range b.peersOf(w) {
			if slices.Contains(ours, p.name) {
				continue
			}
			t.Run(w.name+" "+p.name, func(t *testing.T) {
				if err != nil && (p.name == "graphql-ws" || p.name == "socket.io") {
					t.Fatalf("the Node peers aren't installed, as make bench-test does: %v", err)
				}
				ctx, stop := context.WithTimeout(context.Background(), time.Minute)
				defer stop()
				values, err := b.measure(ctx, w, p, nil)
				if err != nil {
					t.Fatal(err)
				}
				check(t, values)
			})
		}
	}
}

// check demands that everything arrived, once, and in order.
func check(t *testing.T, values report.Values) {
	t.Helper()
	for _, key := range []string{"lost", "duplicated", "disordered", "ended"} {
		if values[key] != 0 {
			t.Errorf("%v %s", values[key], key)
		}
	}
	if rate, measured := values["rate"]; measured && (rate == 0 || values["p99"] == 0) {
		t.Error("nothing was delivered")
	}
}

func TestEveryWorkload(t *testing.T) {
	b := &bench{bin: build(t, "parley", "bare"), servers: "servers", quick: true, runs: 1}
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	elsewhere := []string{"centrifuge", "gqlgen", "graphql-ws", "socket.io"} // TestPeers has them
	seen := map[string]report.Values{}
	for _, w := range smoke.workloads() {
		for _, p := range b.peersOf(w) {
			if slices.Contains(elsewhere, p.name) {
				continue
			}
			subscribed := false
			values, err := b.measure(ctx, w, p, func() { subscribed = true })
			if err != nil {
				t.Errorf("%s %s: %v", w.name, p.name, err)
				continue
			}
			row := report.Row{Workload: w.name, Point: w.point, Peer: p.name, Run: 1, Values: values}
			t.Log(row)
			check(t, values)
			b.rows = append(b.rows, row)
			seen[w.name+" "+p.name] = values
			if w.beside && !subscribed {
				t.Errorf("%s %s: nobody was told that all had subscribed", w.name, p.name)
			}
		}
	}
	if ours, bare := seen["W1 parley"]["bytes"], seen["W1 bare"]["bytes"]; ours < bare*.92 || ours > bare*1.08 { // a moment's ends weigh a little
		t.Errorf("an event of Parley's takes %.0f bytes, one of the bare server's %.0f: mend parleyEnvelope", ours, bare)
	}
	if polls := seen["W8 polling"]["requests"]; polls == 0 {
		t.Error("nobody polled")
	}
	folder := t.TempDir()
	if err := write(report.Report{Rows: b.rows, Quick: true, Runs: 1}, folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"README.md", "results.json", "w1.svg", "w3.svg", "w7-rooms.svg"} {
		if info, err := os.Stat(folder + "/" + name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := filepath.Glob(os.TempDir() + "/*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
