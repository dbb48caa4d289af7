package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

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

// start makes sure that the server is there, fit for us, and laid out as we expect.
func (s *Store) start(ctx context.Context) error {
	info, err := s.reach(ctx)
	if err != nil {
		return err
	}
	if err := checkServer(info); err != nil {
		return err
	}
	_, err = s.checkRecord(ctx)
	return err
}

// reach asks the server about itself, a few times: it may just be starting.
func (s *Store) reach(ctx context.Context) (info map[string]string, err error) {
	for try := 1; ; try++ {
		var text string
		if text, err = s.client.Info(ctx, "everything").Result(); err == nil {
			return parseInfo(text), nil
		}
		if try == startTries || ctx.Err() != nil {
			return nil, fmt.Errorf("%w: redis: can't reach the server at %s: %w", eventlog.ErrUnavailable, s.client.address, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(startPause):
		}
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

// checkServer refuses servers that are too old or may throw away what we store.
func checkServer(info map[string]string) error {
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
