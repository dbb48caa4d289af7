package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"parley/bench/report"
)

// traffic is messages to rooms, measured for a while. Without a pace each of the publishers sends its next message
// when its last one has reached all who follow the room; with one, they send so many together in a second, and don't wait.
type traffic struct {
	publishers     int
	pace           float64
	size           int
	warmUp, during time.Duration
}

// assemble opens the connections of a plan, and waits until all are live.
func (t traffic) assemble(ctx context.Context, r *rig, plan plan) (*crowd, error) {
	c, err := r.assemble(ctx, plan)
	if err != nil {
		return nil, err
	}
	if err = c.dialPublishers(ctx, r.server, t.publishers); err == nil && plan.connections > 0 {
		err = c.probe()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// run measures a server under traffic.
func (t traffic) run(ctx context.Context, r *rig) (report.Values, error) {
	c, err := t.assemble(ctx, r, r.plan)
	if err != nil {
		return nil, err
	}
	defer c.close()
	stop := t.start(ctx, c)
	time.Sleep(t.warmUp)
	m, err := r.during(c, t.during)
	if err := errors.Join(err, stop()); err != nil {
		return nil, err
	}
	return m.values(c.settle()), nil
}

// start sends until stop is called, which returns what went wrong.
func (t traffic) start(ctx context.Context, c *crowd) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	sending := make(chan error, 1)
	go func() { sending <- t.send(ctx, c, c.publishers) }()
	return sync.OnceValue(func() error {
		cancel()
		return <-sending
	})
}

// send has each publisher send to its share of the rooms in turn until the context ends. Where there are fewer
// rooms than publishers they share them.
func (t traffic) send(ctx context.Context, c *crowd, publishers []publisher) error {
	return together(len(publishers), len(publishers), func(p int) error {
		first, next := p%len(c.rooms), time.Now()
		if t.pace > 0 { // they don't all send at the same moment
			next = next.Add(time.Duration(float64(p) * float64(time.Second) / t.pace))
		}
		for n := first; ctx.Err() == nil; n += len(publishers) {
			if n >= len(c.rooms) {
				n = first
			}
			r := c.rooms[n]
			if t.pace == 0 {
				if err := c.sendToAll(publishers[p], r, t.contentSize()); err != nil {
					return err
				}
				continue
			}
			time.Sleep(time.Until(next))
			if _, err := c.send(publishers[p], r, t.contentSize()); err != nil {
				return err
			}
			next = next.Add(time.Duration(float64(len(publishers)) * float64(time.Second) / t.pace))
		}
		return nil
	})
}

func (t traffic) contentSize() int {
	if t.size > 0 {
		return t.size
	}
	return contentSize
}
