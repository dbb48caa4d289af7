package redistest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// masterName is what the Sentinels call their master.
const masterName = "parley"

// downAfter is how long, in milliseconds, a master may be silent before Sentinels count it as down.
const downAfter = 1000

// replicaUser is as whom replicas come to their master, so that they can be kept out.
const (
	replicaUser   = "replica"
	replicaSecret = "of-the-test"
)

// replicating returns the arguments of servers that have replicas or are ones.
func replicating() []string {
	return []string{
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
		"--masteruser", replicaUser, "--masterauth", replicaSecret,
		"--user", replicaUser, "on", ">" + replicaSecret, "+psync", "+replconf", "+ping",
	}
}

// Sentinels are three Sentinels that watch a master and its replicas.
type Sentinels struct {
	// URL is what clients are given.
	URL string
	// Servers are the master, as it began, and its replicas.
	Servers []*Server

	sentinels []*Server
	t         testing.TB
}

// Address returns the URL.
func (s *Sentinels) Address() string { return s.URL }

// StartSentinels starts a master with replicas and the Sentinels, and stops them when the test ends.
// Further arguments are given to the master and the replicas, those of [TLS] to the Sentinels too.
func StartSentinels(t testing.TB, replicas int, args ...string) *Sentinels {
	t.Helper()
	s := &Sentinels{t: t}
	for i := range 1 + replicas {
		server := Start(t, append(replicating(), args...)...)
		s.Servers = append(s.Servers, server)
		if i > 0 {
			server.Do("REPLICAOF", "127.0.0.1", s.Servers[0].servedPort())
		}
	}
	s.untilReplicating(s.Servers[0], replicas)
	watches := fmt.Sprintf("sentinel monitor %[1]s 127.0.0.1 %[2]d 2\nsentinel down-after-milliseconds %[1]s %[3]d\n"+
		"sentinel failover-timeout %[1]s 10000\n", masterName, s.Servers[0].servedPort(), downAfter)
	var hosts []string
	for range 3 {
		sentinel := launch(t, &Server{watches: watches, args: tlsOf(args)})
		s.sentinels = append(s.sentinels, sentinel)
		hosts = append(hosts, sentinel.served())
	}
	s.URL = s.Servers[0].scheme() + "+sentinel://" + strings.Join(hosts, ",") + "/" + masterName
	eventually(t, "the Sentinels know each other and the replicas", func() bool {
		for _, sentinel := range s.sentinels {
			line := sentinel.info("INFO", "sentinel")["master0"]
			if !strings.Contains(line, fmt.Sprintf("slaves=%d,sentinels=3", replicas)) {
				return false
			}
		}
		return true
	})
	return s
}

func (s *Sentinels) untilReplicating(master *Server, replicas int) {
	s.t.Helper()
	eventually(s.t, "the replicas follow", func() bool {
		r := master.info("INFO", "replication")
		return r["connected_slaves"] == strconv.Itoa(replicas) && strings.Contains(r["slave"+strconv.Itoa(max(0, replicas-1))], "state=online")
	})
}

// Master returns the master by the word of the Sentinels.
func (s *Sentinels) Master() *Server {
	s.t.Helper()
	got, _ := s.sentinels[0].Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName).([]any)
	for _, server := range s.Servers {
		if len(got) == 2 && got[1] == strconv.Itoa(server.servedPort()) {
			return server
		}
	}
	s.t.Fatalf("redistest: the Sentinels' master is %v", got)
	return nil
}

// Failover has a replica take over, as an operator does for an upgrade, and returns it once it has.
func (s *Sentinels) Failover() *Server {
	s.t.Helper()
	before := s.Master()
	s.sentinels[0].Do("SENTINEL", "FAILOVER", masterName)
	return s.UntilAnother(before)
}

// UntilAnother waits until another server than the one given is the master, and returns it.
func (s *Sentinels) UntilAnother(than *Server) *Server {
	s.t.Helper()
	eventually(s.t, "another server is the master", func() bool {
		now := s.Master()
		return now != than && now.info("INFO", "replication")["role"] == "master"
	})
	return s.Master()
}
