package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"

	"parley/bench/report"
)

// idle is connections to whom nothing is sent: what memory they take so long after the last has subscribed.
type idle struct{ wait time.Duration }

func (w idle) run(ctx context.Context, r *rig) (report.Values, error) {
	before, err := r.server.resident()
	if err != nil {
		return nil, err
	}
	c, err := r.assemble(ctx, r.plan)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if r.subscribed != nil {
		r.subscribed()
	}
	time.Sleep(w.wait)
	after, err := r.server.resident()
	if err != nil {
		return nil, err
	}
	// Only now is it shown that all were subscribed: it would have left buffers behind.
	if err := c.dialPublishers(ctx, r.server, 1); err != nil {
		return nil, err
	}
	if err := c.probe(); err != nil {
		return nil, err
	}
	return report.Values{
		"memory": (after - before) / float64(r.plan.connections), "start": before / 1024, "resident": after / 1024,
		"ended": float64(c.ended.Load()),
	}, nil
}

// subscribed is what a holding process says when its connections have subscribed.
const subscribed = "subscribed"

// beside runs a workload on all of its peers at once, since they only stand and wait. They subscribe one after the
// other. Each has a generator of its own, because one process may not have enough file descriptors for all.
func (b *bench) beside(ctx context.Context, w workload, run int) {
	var waiting sync.WaitGroup
	var mu sync.Mutex
	for _, p := range b.peersOf(w) {
		held, err := b.hold(ctx, w, p)
		if err != nil {
			b.add(report.Row{Workload: w.name, Peer: p.name}, err)
			continue
		}
		waiting.Go(func() {
			values, err := held.values()
			mu.Lock()
			defer mu.Unlock()
			b.add(report.Row{Workload: w.name, Point: w.point, Peer: p.name, Run: run, Values: values}, err)
		})
	}
	waiting.Wait()
}

// holder is a process that runs a workload on a peer.
type holder struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

// hold starts one, and waits until its connections have subscribed.
func (b *bench) hold(ctx context.Context, w workload, p peer) (*holder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "-hold", "-bin", b.bin, "-servers", b.servers, "-only", w.name, "-peers", p.name, fmt.Sprintf("-quick=%t", b.quick))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it stops its servers
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	h := &holder{cmd, bufio.NewReader(pipe)}
	line, err := h.out.ReadString('\n')
	if line != subscribed+"\n" {
		return nil, errors.Join(fmt.Errorf("it never subscribed: %q", line), err, cmd.Wait())
	}
	return h, nil
}

// values are what the process has measured in the end.
func (h *holder) values() (values report.Values, err error) {
	err = json.NewDecoder(h.out).Decode(&values)
	return values, errors.Join(err, h.cmd.Wait())
}

// beHolder is the other side: it runs the workload, and says what a holder hears.
func (b *bench) beHolder(ctx context.Context) error {
	for _, w := range b.workloads() {
		for _, p := range b.peersOf(w) {
			values, err := b.measure(ctx, w, p, func() { fmt.Println(subscribed) })
			if err != nil {
				return err
			}
			if err := json.NewEncoder(os.Stdout).Encode(values); err != nil {
				return err
			}
		}
	}
	return nil
}
