package redistest

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"
)

// slots is how many a cluster has.
const slots = 16384

// nodeTimeout is how long, in milliseconds, a server of a cluster may be silent before the others count
// it as failing. Small, so that failovers are quick.
const nodeTimeout = 1000

// Cluster is a Redis Cluster: masters that share the slots evenly, each with replicas.
type Cluster struct {
	// URL is what clients are given.
	URL string
	// Servers are all of them: first the masters, as it began, then their replicas in turn.
	Servers []*Server

	t testing.TB
}

// Address returns the URL.
func (c *Cluster) Address() string { return c.URL }

// StartCluster starts a cluster and stops it when the test ends. Further arguments are given to every
// server.
func StartCluster(t testing.TB, masters, replicas int, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	var hosts []string
	for range masters * (1 + replicas) {
		s := Start(t, append([]string{
			"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(freePort(t)),
			"--cluster-node-timeout", strconv.Itoa(nodeTimeout), "--cluster-replica-validity-factor", "0",
		}, append(replicating(), args...)...)...)
		c.Servers = append(c.Servers, s)
		hosts = append(hosts, s.served())
	}
	c.URL = c.Servers[0].scheme() + "+cluster://" + strings.Join(hosts, ",")
	c.meet(masters)
	for i := masters; i < len(c.Servers); i++ {
		c.Servers[i].Do("CLUSTER", "REPLICATE", c.Servers[i%masters].id())
	}
	c.UntilWhole()
	return c
}

// meet gives the masters their slots and has all servers know each other.
func (c *Cluster) meet(masters int) {
	c.t.Helper()
	for i, s := range c.Servers {
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		if i < masters {
			s.Do("CLUSTER", "ADDSLOTSRANGE", i*slots/masters, (i+1)*slots/masters-1)
		}
		if i > 0 {
			first := c.Servers[0]
			s.Do("CLUSTER", "MEET", "127.0.0.1", first.servedPort(), first.clusterPort())
		}
	}
	c.eventually("all servers know each other", func() bool {
		for _, s := range c.Servers {
			if s.info("CLUSTER", "INFO")["cluster_known_nodes"] != strconv.Itoa(len(c.Servers)) {
				return false
			}
		}
		return true
	})
}

// UntilWhole waits until every running server sees the whole cluster working and every running replica
// has all its master has.
func (c *Cluster) UntilWhole() {
	c.t.Helper()
	c.eventually("the cluster works", func() bool {
		for _, s := range c.running() {
			if s.info("CLUSTER", "INFO")["cluster_state"] != "ok" {
				return false
			}
			if r := s.info("INFO", "replication"); r["role"] == "slave" && (r["master_link_status"] != "up" || r["master_sync_in_progress"] == "1") {
				return false
			}
		}
		return true
	})
}

func (c *Cluster) running() []*Server {
	var running []*Server
	for _, s := range c.Servers {
		if s.Running() {
			running = append(running, s)
		}
	}
	return running
}

// MasterOf returns the server that has a key now.
func (c *Cluster) MasterOf(key string) *Server {
	c.t.Helper()
	return c.masterOfSlot(c.SlotOf(key))
}

// SlotOf returns the slot of a key.
func (c *Cluster) SlotOf(key string) int64 {
	c.t.Helper()
	slot, _ := c.running()[0].Do("CLUSTER", "KEYSLOT", key).(int64)
	return slot
}

// masterOfSlot asks each server whether it is the one; the newest word counts, and a server knows best
// about itself.
func (c *Cluster) masterOfSlot(slot int64) *Server {
	c.t.Helper()
	for _, s := range c.running() {
		for line := range strings.Lines(s.Do("CLUSTER", "NODES").(string)) {
			fields := strings.Fields(line)
			if !strings.Contains(fields[2], "myself,master") {
				continue
			}
			for _, part := range fields[8:] {
				from, to, found := strings.Cut(part, "-")
				low, err := strconv.ParseInt(from, 10, 64)
				high := low
				if found {
					high, _ = strconv.ParseInt(to, 10, 64)
				}
				if err == nil && low <= slot && slot <= high {
					return s
				}
			}
		}
	}
	c.t.Fatalf("redistest: no running master has slot %d", slot)
	return nil
}

// ReplicasOf returns the running replicas of a master.
func (c *Cluster) ReplicasOf(master *Server) []*Server {
	c.t.Helper()
	var replicas []*Server
	for _, s := range c.running() {
		if r := s.info("INFO", "replication"); r["role"] == "slave" && r["master_port"] == strconv.Itoa(master.servedPort()) {
			replicas = append(replicas, s)
		}
	}
	return replicas
}

// Failover has a replica of the master take over, as an operator does for an upgrade, and returns it once
// it has.
func (c *Cluster) Failover(master *Server) *Server {
	c.t.Helper()
	replica := c.ReplicasOf(master)[0]
	replica.Do("CLUSTER", "FAILOVER")
	c.UntilMaster(replica)
	return replica
}

// UntilMaster waits until a server is a master.
func (c *Cluster) UntilMaster(s *Server) {
	c.t.Helper()
	c.eventually("the replica has taken over", s.IsMaster)
}

// BeginMove begins to move a slot to another master, and returns the one that has it. Only the keys named
// are there then.
func (c *Cluster) BeginMove(slot int64, to *Server, keys ...string) (from *Server) {
	c.t.Helper()
	from = c.masterOfSlot(slot)
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id())
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id())
	for _, key := range keys {
		from.Do("MIGRATE", "127.0.0.1", to.port, key, 0, 5000)
	}
	return from
}

// Move moves a slot and its keys to another master while it is used, as redis-cli --cluster reshard
// does, and returns how many keys there were.
func (c *Cluster) Move(slot int64, to *Server) (keys int) {
	c.t.Helper()
	from := c.BeginMove(slot, to)
	for {
		batch, _ := from.Do("CLUSTER", "GETKEYSINSLOT", slot, 10).([]any)
		if len(batch) == 0 {
			break
		}
		from.Do(append([]any{"MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS"}, batch...)...)
		keys += len(batch)
	}
	for _, s := range append([]*Server{to, from}, c.masters()...) {
		s.Do("CLUSTER", "SETSLOT", slot, "NODE", to.id())
	}
	return keys
}

func (c *Cluster) masters() []*Server {
	var masters []*Server
	for _, s := range c.running() {
		if s.IsMaster() {
			masters = append(masters, s)
		}
	}
	return masters
}

// OtherMaster returns a running master that isn't the one given.
func (c *Cluster) OtherMaster(than *Server) *Server {
	c.t.Helper()
	for _, s := range c.masters() {
		if s != than {
			return s
		}
	}
	c.t.Fatal("redistest: there is one master only")
	return nil
}

// Flush empties all masters under their clients' feet.
func (c *Cluster) Flush() {
	c.t.Helper()
	for _, s := range c.masters() {
		s.Flush()
	}
}

func (c *Cluster) eventually(what string, fact func() bool) {
	c.t.Helper()
	eventually(c.t, what, fact)
}

// eventually waits for a fact about several servers, which takes longer than one does to start.
func eventually(t testing.TB, what string, fact func() bool) {
	t.Helper()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(6 * patience); !fact(); <-poll.C {
		if time.Now().After(deadline) {
			t.Fatalf("redistest: not within %v: %s", 6*patience, what)
		}
	}
}

// IsMaster reports whether the server runs and is no replica.
func (s *Server) IsMaster() bool {
	s.t.Helper()
	return s.Running() && s.info("INFO", "replication")["role"] == "master"
}

// UntilReplicated waits until a replica has all that was written.
func (s *Server) UntilReplicated() {
	s.t.Helper()
	eventually(s.t, "a replica has everything", func() bool {
		r := s.info("INFO", "replication")
		return strings.Contains(r["slave0"], "state=online,offset="+r["master_repl_offset"]+",")
	})
}

// id is the server's name in its cluster.
func (s *Server) id() string {
	s.t.Helper()
	id, _ := s.Do("CLUSTER", "MYID").(string)
	return id
}

func (s *Server) clusterPort() string {
	s.t.Helper()
	got, err := s.client.ConfigGet(context.Background(), "cluster-port").Result()
	if err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	return got["cluster-port"]
}

// info reads an answer of lines "name:value".
func (s *Server) info(command ...any) map[string]string {
	s.t.Helper()
	info := map[string]string{}
	text, _ := s.Do(command...).(string)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		info[name] = value
	}
	return info
}
