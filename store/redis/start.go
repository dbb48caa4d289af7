package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"parley/eventlog"
)

// layoutVersion is the version of the storage format, recorded in the store. A later version migrates
// forwards.
const layoutVersion = 1

const (
	startTries = 4
	startPause = 300 * time.Millisecond
)

// layoutError says that a store is laid out in a way this program doesn't know.
type layoutError struct{ version, buckets string }

func (e *layoutError) Error() string {
	return fmt.Sprintf("redis: the store there is of format version %q with %q buckets, this program needs version %d "+
		"with %d: start the release that wrote it, or use another database", e.version, e.buckets, layoutVersion, bucketCount)
}

// start makes sure that the servers are there, fit for us, and laid out as we expect.
func (s *Store) start(ctx context.Context) error {
	if err := s.reach(ctx); err != nil {
		return err
	}
	err := s.client.each(ctx, func(ctx context.Context, server *goredis.Client) error {
		text, err := server.Info(ctx, "everything").Result()
		if err != nil {
			return s.explain(ctx, err)
		}
		info := parseInfo(text)
		if err := checkServer(info, s.client.address.mode); err != nil {
			return err
		}
		if err := s.checkPermissions(ctx, server); err != nil {
			return s.explain(ctx, err)
		}
		s.advise(server.Options().Addr, info)
		return nil
	})
	if err != nil {
		return err
	}
	for _, b := range allBuckets() {
		if _, err := s.client.home(ctx, b.prefix); err != nil {
			return s.explain(ctx, err)
		}
	}
	if _, err = s.checkRecord(ctx); err != nil {
		return s.explain(ctx, err)
	}
	return nil
}

// reach waits until the servers answer, for a few tries: they may just be starting.
func (s *Store) reach(ctx context.Context) (err error) {
	for try := 1; ; try++ {
		err = s.client.each(ctx, func(ctx context.Context, server *goredis.Client) error {
			return server.Ping(ctx).Err()
		})
		if err == nil {
			return nil
		}
		if try == startTries || ctx.Err() != nil {
			return s.explain(ctx, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(startPause):
		}
	}
}

// explain says what an error at start means for the operator.
func (s *Store) explain(ctx context.Context, err error) error {
	var ours *layoutError
	if errors.As(err, &ours) || strings.HasPrefix(err.Error(), "redis: the ") {
		return err
	}
	advice := ""
	switch text := err.Error(); {
	case strings.Contains(text, "NOPERM"):
		advice = "; docs/operations.md lists the ACL rules that Parley needs"
	case strings.Contains(text, "cluster support disabled"):
		advice = "; it isn't in cluster mode: begin the URL with redis://"
	case strings.Contains(text, "CLUSTERDOWN") || strings.Contains(text, "cluster has no nodes"):
		advice = "; the cluster is down, or some of its slots are served by nobody: see CLUSTER INFO and CLUSTER SHARDS"
	case s.client.address.mode == sentinel:
		if known := s.askSentinels(ctx); known != nil {
			return known
		}
	}
	return fmt.Errorf("%w: redis: can't reach the server at %s: %w%s", eventlog.ErrUnavailable, s.client.address, err, advice)
}

// askSentinels finds out why a master can't be had: the Sentinels may not be ones, or not know it.
func (s *Store) askSentinels(ctx context.Context) error {
	a := s.client.address
	for _, host := range a.hosts {
		asked := goredis.NewSentinelClient(&goredis.Options{
			Addr: host, Username: a.sentinelUser, Password: a.sentinelPassword, TLSConfig: a.options.TLSConfig,
			DialTimeout: dialTimeout, DialerRetries: 1, MaxRetries: -1, DisableIdentity: true,
		})
		_, err := asked.GetMasterAddrByName(ctx, a.master).Result()
		_ = asked.Close()
		switch {
		case errors.Is(err, goredis.Nil):
			return fmt.Errorf("redis: the Sentinel at %s knows no master by the name of %q", host, a.master)
		case err != nil && strings.Contains(err.Error(), "unknown command"):
			return fmt.Errorf("redis: the server at %s is no Sentinel: begin the URL with redis://, or name Sentinels", host)
		}
	}
	return nil
}

// advise warns of settings of a server under which messages may be lost.
func (s *Store) advise(addr string, info map[string]string) {
	replicas, _ := strconv.Atoi(info["connected_slaves"])
	if info["aof_enabled"] == "0" {
		s.log.Warn("the Redis server keeps no append-only file: what isn't replicated is lost when it ends", "server", addr)
	}
	if _, set := info["min_slaves_good_slaves"]; replicas > 0 && !set {
		s.log.Warn("a Redis master cut off from its replicas goes on taking messages, which a failover then loses: "+
			"set min-replicas-to-write 1", "server", addr)
	}
	if replicas < s.wait.Replicas {
		s.log.Warn("the Redis server has fewer replicas than PARLEY_REDIS_WAIT wants: sending will be answered UNAVAILABLE",
			"server", addr, "replicas", replicas, "wanted", s.wait.Replicas)
	}
}

// parseInfo reads the answer to INFO: lines "name:value".
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			info[name] = value
		}
	}
	return info
}

// checkServer refuses servers that belong to others than the URL says, are too old, or may throw away
// what we store. mode is what the URL says.
func checkServer(info map[string]string, mode mode) error {
	switch {
	case info["redis_mode"] == "sentinel":
		return errors.New("redis: the server is a Sentinel: write redis+sentinel://host:port/master-name")
	case info["redis_mode"] == "cluster" && mode != cluster:
		return errors.New("redis: the server is part of a cluster: begin the URL with redis+cluster://")
	case info["role"] == "slave":
		return fmt.Errorf("redis: the server is a replica of %s:%s and takes no writes: name the master, or its Sentinels",
			info["master_host"], info["master_port"])
	}
	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		return fmt.Errorf("redis: the server is version %q, Parley needs 7.0 or later", version)
	}
	if policy := info["maxmemory_policy"]; policy != "noeviction" {
		return fmt.Errorf("redis: the server's maxmemory-policy is %q, which may throw away messages: "+
			"set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)", policy)
	}
	return nil
}

// checkRecord compares the record of the storage format with ours, and writes it where there is
// none.
func (s *Store) checkRecord(ctx context.Context) (written bool, err error) {
	version, buckets := strconv.Itoa(layoutVersion), strconv.Itoa(bucketCount)
	got, err := s.run(ctx, recordScript, []string{recordKey()}, version, buckets)
	if err != nil {
		return false, err
	}
	if got.text(1) != version || got.text(2) != buckets {
		return false, &layoutError{version: got.text(1), buckets: got.text(2)}
	}
	return got.number(3) == 1, nil
}
