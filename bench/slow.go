package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"parley/bench/report"
	"parley/bench/swarm"
)

// slow is traffic under which some readers stop for a while, and then go on.
type slow struct {
	traffic
	// stopped is how many, and for how long.
	stopped int
	pause   time.Duration
}

func (w slow) run(ctx context.Context, r *rig) (report.Values, error) {
	c, err := w.assemble(ctx, r, r.plan)
	if err != nil {
		return nil, err
	}
	defer c.close()
	for _, f := range c.followers[:w.stopped] {
		f.slow = true
	}
	stop := w.start(ctx, c)
	values, err := w.stopAndGo(ctx, r, c)
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	a := c.settle()
	a.into(values)
	return values, nil
}

// stopAndGo measures the others before the stop and during it, and what the stopped ones come to after it.
func (w slow) stopAndGo(ctx context.Context, r *rig, c *crowd) (report.Values, error) {
	time.Sleep(w.warmUp)
	before, err := r.during(c, w.traffic.during)
	if err != nil {
		return nil, err
	}
	start, err := r.memory()
	if err != nil {
		return nil, err
	}
	if err := c.each(w.stopped, (*swarm.Member).Pause); err != nil {
		return nil, err
	}
	time.Sleep(w.pause / 2)
	sampled := r.sample(w.pause / 2)
	while, err := r.during(c, w.pause/2)
	if err != nil {
		return nil, err
	}
	samples := <-sampled
	half, end := typical(samples[:len(samples)/2]), typical(samples[len(samples)/2:])
	values := while.values(account{})
	if r.server.admin != "" {
		if values["lags"], err = r.server.metric(ctx, "parley_lags_total"); err != nil {
			return nil, err
		}
	}
	woken := time.Now()
	if err := c.each(w.stopped, (*swarm.Member).Resume); err != nil {
		return nil, err
	}
	all, err := c.caughtUp(w.stopped)
	if err != nil {
		return nil, err
	}
	if all {
		values["caughtUp"] = time.Since(woken).Seconds()
	}
	values["p99Before"] = millis(before.window.latency.at(.99))
	values["memoryStart"], values["memoryHalf"], values["memoryEnd"] = start.resident, half.resident, end.resident
	values["socketsStart"], values["socketsHalf"], values["socketsEnd"] = start.sockets, half.sockets, end.sockets
	return values, nil
}

// each does something to the first n, but for those that the server has ended.
func (c *crowd) each(n int, do func(*swarm.Member) error) error {
	for _, f := range c.followers[:n] {
		if err := do(f.member); err != nil && !f.gone.Load() {
			return err
		}
	}
	return nil
}

// caughtUp waits until the first n have everything that had been sent when it was called, and reports whether all of
// them have: the server may have ended some.
func (c *crowd) caughtUp(n int) (all bool, err error) {
	sent := c.rooms[0].sent.Load()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		behind, gone := 0, false
		for _, f := range c.followers[:n] {
			f.mu.Lock()
			late := f.tracks[0].received < sent
			f.mu.Unlock()
			if late && f.gone.Load() {
				gone = true
			} else if late {
				behind++
			}
		}
		if behind == 0 {
			return !gone, nil
		}
	}
	return false, errors.New("the stopped readers never caught up")
}

// memory is in MiB: the server's own, and that of all sockets of this machine.
type memory struct{ resident, sockets float64 }

func (r *rig) memory() (memory, error) {
	resident, err := r.server.resident()
	sockets, err2 := socketMemory()
	return memory{resident / 1024, sockets / 1024}, errors.Join(err, err2)
}

// sample looks at the memory ten times a second for so long: what is on its way at one moment is chance.
func (r *rig) sample(d time.Duration) <-chan []memory {
	done := make(chan []memory, 1)
	go func() {
		var samples []memory
		for begun := time.Now(); len(samples) < 2 || time.Since(begun) < d; time.Sleep(min(d/4, 100*time.Millisecond)) {
			m, _ := r.memory() // it fails when the server has ended, which is noticed by all means
			samples = append(samples, m)
		}
		done <- samples
	}()
	return done
}

// typical is the median of both kinds of memory.
func typical(samples []memory) memory {
	middle := func(of func(memory) float64) float64 {
		values := make([]float64, len(samples))
		for i, m := range samples {
			values[i] = of(m)
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return memory{middle(func(m memory) float64 { return m.resident }), middle(func(m memory) float64 { return m.sockets })}
}

// metric is one of Parley's, without labels.
func (s *server) metric(ctx context.Context, name string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no metric %s", name)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
