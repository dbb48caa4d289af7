package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"parley/bench/report"
)

// rig is what a workload runs on.
type rig struct {
	server *server
	redis  *process
	plan   plan
	// threads is how many read at the generator.
	threads int
	// subscribed is called when all have subscribed; nil where nobody wants to know.
	subscribed func()
	// profile is the file that Parley's CPU profile goes to; empty for none.
	profile string
}

// measurement is what happened between two moments.
type measurement struct {
	window        *window
	before, after moment
}

// moment is what everything had used by then.
type moment struct {
	at            time.Time
	server, redis usage
	generator     time.Duration
	// bytes were read by the crowd, messages were sent to its rooms.
	bytes, messages int64
}

func (r *rig) now(c *crowd) (moment, error) {
	m := moment{at: time.Now(), bytes: c.swarm.Bytes(), messages: c.sent()}
	var errs [3]error
	m.server, errs[0] = r.server.usage()
	m.redis, errs[1] = r.redis.usage()
	m.generator, errs[2] = cpuOf(os.Getpid())
	return m, errors.Join(errs[:]...)
}

// during measures for so long.
func (r *rig) during(c *crowd, d time.Duration) (*measurement, error) {
	m := &measurement{window: &window{}}
	var errs [3]error
	var profiling sync.WaitGroup
	if r.profile != "" && r.server.admin != "" {
		profiling.Go(func() { errs[2] = r.writeProfile(d) })
	}
	m.before, errs[0] = r.now(c)
	c.window.Store(m.window)
	time.Sleep(d)
	c.window.Store(nil)
	m.after, errs[1] = r.now(c)
	profiling.Wait()
	return m, errors.Join(errs[:]...)
}

func (r *rig) writeProfile(d time.Duration) error {
	response, err := client.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.server.admin, max(1, int(d.Seconds()))))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	profile, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(r.profile, profile, 0o644)
}

func (m *measurement) seconds() float64 { return m.after.at.Sub(m.before.at).Seconds() }

// values are what a measurement comes to.
func (m *measurement) values(a account) report.Values {
	server, redis := m.after.server.since(m.before.server), m.after.redis.since(m.before.redis)
	deliveries, messages := float64(m.window.deliveries.Load()), float64(m.after.messages-m.before.messages)
	values := report.Values{
		"cpu":        per(micros(server.cpu), deliveries),
		"cpuPublish": per(micros(server.cpu), messages),
		"rate":       deliveries / m.seconds(),
		"publishes":  messages / m.seconds(),
		"p50":        millis(m.window.latency.at(.5)),
		"p99":        millis(m.window.latency.at(.99)),
		"batch":      per(deliveries, float64(server.writes)),
		"bytes":      per(float64(m.after.bytes-m.before.bytes), deliveries),
		"redis":      per(micros(redis.cpu), messages),
		"server":     m.share(server.cpu),
		"generator":  m.share(m.after.generator - m.before.generator),
	}
	a.into(values)
	return values
}

// share is how much of one core was used, in percent.
func (m *measurement) share(cpu time.Duration) float64 { return 100 * cpu.Seconds() / m.seconds() }

func per(all, n float64) float64 { return all / max(1, n) }

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

func millis(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
