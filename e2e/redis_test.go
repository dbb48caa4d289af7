package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// durable are the settings under which what is acknowledged survives the loss of a master.
var durable = map[string]string{"PARLEY_REDIS_WAIT": "1"}

// roomKey finds the room's key, and with it the slot and the servers it lies on.
func roomKey(t *testing.T, servers []*redistest.Server, room string) string {
	t.Helper()
	for _, s := range servers {
		if !s.Running() {
			continue
		}
		for _, key := range s.Do("KEYS", "parley:*:room:"+room).([]any) {
			return key.(string)
		}
	}
	t.Fatalf("the room %s lies nowhere", room)
	return ""
}

// quarter waits until a part of n messages was seen, as long as they keep coming.
func (c *cluster) quarter(t *testing.T, n, part int) {
	t.Helper()
	r := c.readers["ws at A, messageAdded"]
	for seen := r.count(); seen < part*n/4; seen = r.count() {
		parleytest.Eventually(t, fmt.Sprintf("more than %d messages are seen", seen), func() bool { return r.count() > seen })
	}
}

// state prints how long nothing was acknowledged and nothing arrived.
func (c *cluster) state(t *testing.T, what string, l *ledger) {
	t.Helper()
	var pauses []string
	for name, r := range c.readers {
		pauses = append(pauses, fmt.Sprintf("%s %v", name, r.pause.Round(10*time.Millisecond)))
	}
	t.Logf("%s: %d messages acknowledged, %d attempts refused and repeated; longest pause of the senders %v, of the readers: %s",
		what, len(l.acked), l.refused, l.pause.Round(10*time.Millisecond), strings.Join(pauses, ", "))
}

// checkEither checks the promise for what a failover may lose: a reader saw every acknowledged message once,
// or was reset, once, and sees what comes after. It counts both, and returns how many acknowledged messages
// aren't stored any more. (A reset goes on from the tail, so it may pass over messages that are stored. What
// was refused may have been seen too; sent again after a loss it is another message.)
func (c *cluster) checkEither(t *testing.T, l *ledger) (lost int) {
	t.Helper()
	c.lastWord(t, l)
	stored := storedIn(t, c.senders[0], c.room)
	for content, id := range l.acked {
		if n := stored[id]; n == 0 {
			lost++
		} else if n > 1 {
			t.Errorf("%s is stored %d times", content, n)
		}
	}
	for name, r := range c.readers {
		c.checkReader(t, name, r, l)
	}
	t.Logf("%d of %d acknowledged messages are lost", lost, len(l.acked))
	return lost
}

// lastWord returns once all readers have seen a message sent after all others. A reset passes over what
// was stored before it, be it the last, so that one is sent again.
func (c *cluster) lastWord(t *testing.T, l *ledger) {
	t.Helper()
	var said time.Time
	var last string
	for name, r := range c.readers {
		parleytest.Eventually(t, name+" has seen the last", func() bool {
			if last != "" && r.saw(last) {
				return true
			}
			if time.Since(said) > 3*time.Second {
				last, said = fmt.Sprintf("the last of %d", len(l.acked)), time.Now()
				l.send(t.Context(), c.senders[0], c.room, last)
			}
			return false
		})
	}
}

func (c *cluster) checkReader(t *testing.T, name string, r *reader, l *ledger) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	times := map[string]int{}
	for _, id := range r.ids {
		times[id]++
	}
	unseen, twice := 0, 0
	for _, id := range l.acked {
		switch n := times[id]; {
		case n == 0:
			unseen++
		case n > 1:
			twice++
		}
	}
	if unseen > 0 && r.resets == 0 {
		t.Errorf("%s: %d acknowledged messages never came, and no reset says so", name, unseen)
	}
	if twice > 0 {
		t.Errorf("%s: %d messages came twice", name, twice)
	}
	if r.resets > 1 {
		t.Errorf("%s was reset %d times", name, r.resets)
	}
	t.Logf("%s: %d acknowledged, %d seen once, %d lost or passed over by a reset, %d resets",
		name, len(l.acked), len(l.acked)-unseen-twice, unseen, r.resets)
}

// TestClusterUnderSending: a graceful failover of the master that has the room, and a move of the room's slot
// to another master, both in the middle of sending.
func TestClusterUnderSending(t *testing.T) {
	t.Parallel()
	redis := redistest.StartCluster(t, 3, 1)
	c := startNodes(t, redis.URL, nil)
	c.populate(t)
	key := roomKey(t, redis.Servers, c.room)
	n := parleytest.Scale(800, 5000)
	l := c.sendDuring(t, n, func() {
		c.quarter(t, n, 1)
		start := time.Now()
		redis.Failover(redis.MasterOf(key))
		t.Logf("CLUSTER FAILOVER took %v", time.Since(start).Round(time.Millisecond))
		c.quarter(t, n, 2)
		slot := redis.SlotOf(key)
		start = time.Now()
		keys := redis.Move(slot, redis.OtherMaster(redis.MasterOf(key)))
		t.Logf("moving slot %d with its %d keys took %v", slot, keys, time.Since(start).Round(time.Millisecond))
	})
	c.check(t, l)
	c.state(t, "graceful failover and slot move", l)
	for name, r := range c.readers {
		if r.returns > 0 || r.resets > 0 {
			t.Errorf("%s had to come back %d times and was reset %d times", name, r.returns, r.resets)
		}
	}
}

// TestClusterMasterKilled: kill -9 of the master that has the room, while replicas confirm each message.
func TestClusterMasterKilled(t *testing.T) {
	t.Parallel()
	redis := redistest.StartCluster(t, 3, 1)
	c := startNodes(t, redis.URL, durable)
	c.populate(t)
	n := parleytest.Scale(600, 5000)
	l := c.sendDuring(t, n, func() {
		c.quarter(t, n, 1)
		master := redis.MasterOf(roomKey(t, redis.Servers, c.room))
		replica := redis.ReplicasOf(master)[0]
		master.Kill()
		redis.UntilMaster(replica)
		master.Restart() // as its replica, so that there is one to wait for
	})
	if lost := c.checkEither(t, l); lost > 0 {
		t.Errorf("%d messages were lost though the only replica had them", lost)
	}
	c.state(t, "kill -9 of a cluster's master, PARLEY_REDIS_WAIT=1", l)
}

// TestSentinelUnderSending: a failover that an operator asks for, in the middle of sending. The old master
// goes on taking messages until the Sentinels demote it, and so may one of two replicas; only where all
// replicas confirm is nothing lost.
func TestSentinelUnderSending(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]string{"one of two replicas confirms": "1", "both replicas confirm": "2"} {
		t.Run(name, func(t *testing.T) {
			if wait == "2" && parleytest.Scale(0, 1) == 0 {
				t.Skip("make prove-redis runs it: it takes the Sentinels a while to have two replicas again")
			}
			redis := redistest.StartSentinels(t, 2)
			c := startNodes(t, redis.URL, map[string]string{"PARLEY_REDIS_WAIT": wait})
			c.populate(t)
			n := parleytest.Scale(600, 5000)
			l := c.sendDuring(t, n, func() {
				c.quarter(t, n, 1)
				start := time.Now()
				redis.Failover()
				t.Logf("SENTINEL FAILOVER took %v", time.Since(start).Round(time.Millisecond))
			})
			if lost := c.checkEither(t, l); lost > 0 && wait == "2" {
				t.Errorf("%d messages were lost though all replicas had them", lost)
			}
			c.state(t, "SENTINEL FAILOVER, PARLEY_REDIS_WAIT="+wait, l)
		})
	}
}

// TestSentinelMasterKilled: kill -9 of the master, while replicas confirm each message.
func TestSentinelMasterKilled(t *testing.T) {
	t.Parallel()
	redis := redistest.StartSentinels(t, 2)
	c := startNodes(t, redis.URL, durable)
	c.populate(t)
	n := parleytest.Scale(600, 5000)
	l := c.sendDuring(t, n, func() {
		c.quarter(t, n, 1)
		master := redis.Master()
		master.Kill()
		redis.UntilAnother(master)
	})
	c.checkEither(t, l)
	c.state(t, "kill -9 of Sentinel's master, PARLEY_REDIS_WAIT=1", l)
}

// TestLaggingReplicaIsPromoted: the replica that takes over doesn't have the last messages, which were
// acknowledged (nothing was waited for) and seen. The room is fenced: one reset each, and live again.
func TestLaggingReplicaIsPromoted(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) (url string, servers []*redistest.Server, lose func(master *redistest.Server)){
		"cluster": func(t *testing.T) (string, []*redistest.Server, func(*redistest.Server)) {
			redis := redistest.StartCluster(t, 3, 1)
			return redis.URL, redis.Servers, func(master *redistest.Server) {
				replica := redis.Servers[index(redis.Servers, master)+3]
				master.Kill()
				redis.UntilMaster(replica)
			}
		},
		"Sentinel": func(t *testing.T) (string, []*redistest.Server, func(*redistest.Server)) {
			redis := redistest.StartSentinels(t, 1)
			return redis.URL, redis.Servers, func(master *redistest.Server) {
				master.Kill()
				redis.UntilAnother(master)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, servers, lose := start(t)
			c := startNodes(t, url, nil)
			c.populate(t)
			before := c.sendDuring(t, 100, func() {})
			c.check(t, before)
			master := masterOf(t, servers, roomKey(t, servers, c.room))
			master.UntilReplicated()
			master.CutReplicas()
			lost := &ledger{acked: map[string]string{}}
			for i := range 50 {
				lost.send(t.Context(), c.senders[i%4], c.room, fmt.Sprintf("lost %d", i))
			}
			for name, r := range c.readers {
				parleytest.Eventually(t, name+" has seen what will be lost", func() bool { return r.count() == 150 })
			}
			began := time.Now()
			lose(master)
			c.checkReset(t, 150)
			t.Logf("50 acknowledged messages were lost with the master; each of %d readers was reset once and is live again %v after",
				len(c.readers), time.Since(began).Round(10*time.Millisecond))
		})
	}
}

func index(servers []*redistest.Server, s *redistest.Server) int {
	for i := range servers {
		if servers[i] == s {
			return i
		}
	}
	return -1
}

// masterOf returns the server that has a key and isn't a replica.
func masterOf(t *testing.T, servers []*redistest.Server, key string) *redistest.Server {
	t.Helper()
	for _, s := range servers {
		if s.IsMaster() && len(s.Do("KEYS", strings.NewReplacer("{", "*", "}", "*").Replace(key)).([]any)) > 0 {
			return s
		}
	}
	t.Fatalf("no master has %s", key)
	return nil
}
