package redis

import (
	"strings"
	"testing"
)

func TestCheckServer(t *testing.T) {
	for name, c := range map[string]struct{ info, says string }{
		"of a cluster": {"redis_version:7.0.15\r\nredis_mode:cluster\r\n", "redis+cluster://"},
		"a Sentinel":   {"redis_version:7.0.15\r\nredis_mode:sentinel\r\n", "redis+sentinel://"},
		"a replica":    {"role:slave\r\nmaster_host:h\r\nmaster_port:1\r\n", "replica of h:1"},
		"good":         {"# Server\r\nredis_version:7.0.15\r\n# Memory\r\nmaxmemory_policy:noeviction\r\n", ""},
		"later":        {"redis_version:10.2.0\r\nmaxmemory_policy:noeviction\r\n", ""},
		"too old":      {"redis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n", `"6.2.14", Parley needs 7.0`},
		"not a server": {"hello", "Parley needs 7.0"},
		"evicting":     {"redis_version:7.2.0\r\nmaxmemory_policy:volatile-ttl\r\n", "volatile-ttl"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkServer(parseInfo(c.info), single)
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}
