package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

var permissionsScript = reading("permissions")

// commands are what scripts and clients send, with arguments where permissions depend on them: %k is a
// key of ours, %c a channel. docs/operations.md has the same list as ACL rules.
var commands = []string{
	"DEL %k", "EXISTS %k", "EXPIREAT %k 0", "PEXPIRE %k 0", "PEXPIREAT %k 0",
	"HDEL %k f", "HGET %k f", "HGETALL %k", "HINCRBY %k f 0", "HKEYS %k", "HMGET %k f", "HSET %k f v", "HEXISTS %k f",
	"SADD %k m", "SCARD %k", "SMEMBERS %k", "SRANDMEMBER %k 1", "SREM %k m",
	"XADD %k * f v", "XLEN %k", "XRANGE %k - +", "XTRIM %k MINID 0",
	"ZADD %k 0 m", "ZCARD %k", "ZCOUNT %k 0 0", "ZPOPMIN %k", "ZRANGE %k 0 0", "ZRANGEBYLEX %k - +",
	"ZRANGEBYSCORE %k 0 0", "ZREM %k m", "ZREMRANGEBYSCORE %k 0 0", "ZSCORE %k m",
	"TIME", "EVAL return 0", "EVALSHA 0 0", "EVAL_RO return 0", "EVALSHA_RO 0 0", "SCRIPT LOAD return",
	"PING", "INFO", "CLIENT SETNAME n",
}

// Those by which hints travel, and those of a cluster.
var (
	serverCommands  = []string{"PUBLISH %c m", "SUBSCRIBE %c", "UNSUBSCRIBE %c"}
	clusterCommands = []string{"SPUBLISH %c m", "SSUBSCRIBE %c", "SUNSUBSCRIBE %c", "CLUSTER SLOTS", "ASKING"}
)

// checkPermissions makes sure that a server lets our user do everything there is to do, before a script
// fails in the middle for want of it.
func (s *Store) checkPermissions(ctx context.Context, server *goredis.Client) error {
	wanted := append([]string{}, commands...)
	if s.client.cluster != nil {
		wanted = append(wanted, clusterCommands...)
	} else {
		wanted = append(wanted, serverCommands...)
	}
	if s.wait.Replicas > 0 {
		wanted = append(wanted, "WAIT 1 1")
	}
	example := strings.NewReplacer("%k", allBuckets()[0].key("permissions"), "%c", allBuckets()[0].presenceChannel())
	asked := make([][]string, len(wanted))
	for i, command := range wanted {
		asked[i] = strings.Fields(example.Replace(command))
	}
	start := time.Now()
	got, err := permissionsScript.lua.EvalRO(ctx, server, nil, encode(asked)).Slice()
	s.metrics.observe(permissionsScript, time.Since(start))
	if err != nil {
		return err
	}
	if refused := answer(got).from(1); len(refused) > 0 {
		return fmt.Errorf("redis: the user may not run %s: docs/operations.md lists the ACL rules that Parley needs",
			strings.Join(refused, ", "))
	}
	return nil
}
