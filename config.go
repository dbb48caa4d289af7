package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"parley/store/redis"
)

// config is every setting: an environment variable, and a flag of the same name.
type config struct {
	Addr      string `env:"PARLEY_ADDR" default:"127.0.0.1:8080" help:"Where to listen for clients."`
	AdminAddr string `env:"PARLEY_ADMIN_ADDR" default:"127.0.0.1:9464" help:"Where to listen for /metrics and /debug/pprof; 'off' for nowhere."`
	Data      string `env:"PARLEY_DATA" default:"./data" help:"Folder of the SQLite database and of the development secret."`
	RedisURL  string `name:"redis-url" env:"PARLEY_REDIS_URL" help:"Redis to share with other nodes (redis://, redis+sentinel://, redis+cluster://, unix://; rediss for TLS); empty keeps everything in SQLite."`

	Redis redisConfig `embed:"" prefix:"redis-"`

	AuthSecret string   `env:"PARLEY_AUTH_SECRET" help:"HS256 secret of the tokens, at least 32 bytes; empty is development mode, which signs tokens for anybody."`
	Origins    []string `env:"PARLEY_ORIGINS" sep:"," help:"Origins of web pages that may connect, beside the server's own. In development any loopback origin may."`

	Heartbeat     time.Duration `env:"PARLEY_HEARTBEAT" default:"12s" help:"How often each connection is pinged; a peer silent for two is cut. From 1s."`
	InitTimeout   time.Duration `env:"PARLEY_INIT_TIMEOUT" default:"10s" help:"How long a WebSocket may take to send connection_init."`
	PresenceTTL   time.Duration `env:"PARLEY_PRESENCE_TTL" default:"60s" help:"How long after a node's death its users count as connected. From 3s."`
	PresenceGrace time.Duration `env:"PARLEY_PRESENCE_GRACE" default:"10s" help:"How long after their last connection users stay ONLINE."`
	Cutoff        time.Duration `env:"PARLEY_CUTOFF" default:"10s" help:"How long this node believes what it is told while it can't read the store; then live delivery waits until it can. From 3s."`
	DrainWindow   time.Duration `env:"PARLEY_DRAIN_WINDOW" default:"5s" help:"Over how long connections are closed when the server stops."`

	MaxContent    int `env:"PARLEY_MAX_CONTENT" default:"8192" help:"Bytes of one message's content."`
	MaxName       int `env:"PARLEY_MAX_NAME" default:"120" help:"Characters of a room's name."`
	MaxMetadata   int `env:"PARLEY_MAX_METADATA" default:"4096" help:"Bytes of a room's metadata."`
	MaxRooms      int `name:"max-rooms-per-user" env:"PARLEY_MAX_ROOMS_PER_USER" default:"10000" help:"Rooms one user may be a member of."`
	MaxMembers    int `name:"max-members-per-room" env:"PARLEY_MAX_MEMBERS_PER_ROOM" default:"100000" help:"Members of one room."`
	MaxPresence   int `env:"PARLEY_MAX_PRESENCE" default:"1000" help:"Members up to which a room's presence can be followed."`
	MaxAudiences  int `env:"PARLEY_MAX_AUDIENCES" default:"2000" help:"Audiences of one room, or of one presence or typing topic, for whom its events are rendered apart."`
	MaxOperations int `env:"PARLEY_MAX_OPERATIONS" default:"100" help:"Operations at a time on one connection."`
	MaxFrame      int `env:"PARLEY_MAX_FRAME" default:"131072" help:"Bytes of one WebSocket message."`
	MaxBody       int `env:"PARLEY_MAX_BODY" default:"131072" help:"Bytes of one HTTP body."`
	MaxOutbox     int `env:"PARLEY_MAX_OUTBOX" default:"1048576" help:"Bytes that may wait for one connection."`
	StoreQueue    int `env:"PARLEY_STORE_QUEUE" default:"1024" help:"Calls that may wait for the store at a time; more are answered UNAVAILABLE at once."`
	QueryTokens   int `name:"max-query-tokens" env:"PARLEY_MAX_QUERY_TOKENS" default:"5000" help:"Tokens of one GraphQL document."`
	LogMaxEntries int `name:"log-max-entries" env:"PARLEY_LOG_MAX_ENTRIES" default:"10000" help:"Entries of one room's log that can be resumed from. Messages are kept regardless."`

	Draft2026  bool          `name:"draft2026" env:"PARLEY_DRAFT2026" help:"Answer with the HTTP statuses of GraphQL over HTTP's draft of August 2026 (422, 294) instead of those of graphql-http's audits."`
	LogMaxAge  time.Duration `env:"PARLEY_LOG_MAX_AGE" default:"168h" help:"Age up to which entries of a log are kept."`
	SQLiteSync string        `name:"sqlite-sync" env:"PARLEY_SQLITE_SYNC" default:"NORMAL" enum:"NORMAL,FULL" help:"NORMAL survives the process's death, FULL a power cut too (slower)."`
	LogLevel   slog.Level    `env:"PARLEY_LOG_LEVEL" default:"INFO" help:"DEBUG, INFO, WARN or ERROR."`
	LogFormat  string        `env:"PARLEY_LOG_FORMAT" default:"text" enum:"text,json" help:"How log lines are written."`
}

// redisConfig is what there is to say of Redis beside the URL.
type redisConfig struct {
	Wait        int           `env:"PARLEY_REDIS_WAIT" default:"0" help:"Replicas that must have what is acknowledged."`
	WaitTimeout time.Duration `env:"PARLEY_REDIS_WAIT_TIMEOUT" default:"1s" help:"How long they may take; after that the answer is UNAVAILABLE. Up to 2s."`
	TLSCA       string        `name:"tls-ca" env:"PARLEY_REDIS_TLS_CA" help:"File of certificates to trust for rediss, PEM; empty trusts the system's."`
	TLSCert     string        `name:"tls-cert" env:"PARLEY_REDIS_TLS_CERT" help:"File of a client certificate, PEM."`
	TLSKey      string        `name:"tls-key" env:"PARLEY_REDIS_TLS_KEY" help:"File of the client certificate's key, PEM."`
	TLSName     string        `name:"tls-name" env:"PARLEY_REDIS_TLS_NAME" help:"Name in the servers' certificates, where it isn't the one in the URL."`
}

// development reports whether the server signs tokens for anybody who asks.
func (c *config) development() bool { return c.AuthSecret == "" }

// parseConfig reads flags and environment. kong prints help and errors and exits.
func parseConfig(args []string) (*config, error) {
	var c config
	parser, err := kong.New(&c,
		kong.Name("parley"),
		kong.Description("A GraphQL subscriptions server for chat. Every flag can be set by the environment variable named beside it."),
		kong.UsageOnError(),
	)
	if err != nil {
		return nil, err
	}
	_, err = parser.Parse(args)
	parser.FatalIfErrorf(err)
	return &c, c.validate()
}

// validate checks settings and the relations between them.
func (c *config) validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Heartbeat >= time.Second, "PARLEY_HEARTBEAT must be at least 1s")
	check(c.InitTimeout > 0, "PARLEY_INIT_TIMEOUT must be positive")
	check(c.PresenceTTL >= 3*time.Second, "PARLEY_PRESENCE_TTL must be at least 3s")
	check(c.PresenceGrace >= 0, "PARLEY_PRESENCE_GRACE must not be negative")
	check(c.Cutoff >= 3*time.Second, "PARLEY_CUTOFF must be at least 3s: the store is looked at each second, and one look may take longer")
	check(c.DrainWindow >= 0, "PARLEY_DRAIN_WINDOW must not be negative")
	check(c.MaxFrame >= 2*c.MaxContent, "PARLEY_MAX_FRAME must be at least twice PARLEY_MAX_CONTENT, for the escapes in JSON")
	check(c.MaxBody >= 2*c.MaxContent, "PARLEY_MAX_BODY must be at least twice PARLEY_MAX_CONTENT, for the escapes in JSON")
	check(c.MaxOutbox >= 2*c.MaxFrame, "PARLEY_MAX_OUTBOX must be at least twice PARLEY_MAX_FRAME")
	for name, n := range map[string]int{
		"PARLEY_MAX_CONTENT": c.MaxContent, "PARLEY_MAX_NAME": c.MaxName, "PARLEY_MAX_METADATA": c.MaxMetadata,
		"PARLEY_MAX_ROOMS_PER_USER": c.MaxRooms, "PARLEY_MAX_MEMBERS_PER_ROOM": c.MaxMembers, "PARLEY_MAX_PRESENCE": c.MaxPresence,
		"PARLEY_MAX_AUDIENCES":  c.MaxAudiences,
		"PARLEY_MAX_OPERATIONS": c.MaxOperations, "PARLEY_MAX_QUERY_TOKENS": c.QueryTokens, "PARLEY_LOG_MAX_ENTRIES": c.LogMaxEntries,
		"PARLEY_STORE_QUEUE": c.StoreQueue,
	} {
		check(n > 0, "%s must be positive", name)
	}
	check(c.Redis.Wait >= 0, "PARLEY_REDIS_WAIT must not be negative")
	check(c.Redis.WaitTimeout >= time.Millisecond && c.Redis.WaitTimeout <= 2*time.Second,
		"PARLEY_REDIS_WAIT_TIMEOUT must be between 1ms and 2s, which is less than Redis is given for an answer")
	check(c.Redis.Wait == 0 || c.RedisURL != "", "PARLEY_REDIS_WAIT needs PARLEY_REDIS_URL")
	check((c.Redis.TLSCert == "") == (c.Redis.TLSKey == ""), "PARLEY_REDIS_TLS_CERT and PARLEY_REDIS_TLS_KEY go together")
	check(c.LogMaxAge >= 10*time.Minute, "PARLEY_LOG_MAX_AGE must be at least 10m")
	check(!c.development() || isLoopback(c.Addr),
		"development mode signs tokens for anybody, so it listens on loopback only: set PARLEY_AUTH_SECRET to listen on %s", c.Addr)
	return errors.Join(errs...)
}

// isLoopback reports whether an address to listen on can be reached from this machine only.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// LogValue is the settings as they may be printed: without secrets.
func (c *config) LogValue() slog.Value {
	secret := "none: development mode"
	if !c.development() {
		secret = "set"
	}
	return slog.GroupValue(
		slog.String("addr", c.Addr), slog.String("admin", c.AdminAddr), slog.String("store", c.storeName()), slog.Int("redis-wait", c.Redis.Wait),
		slog.String("secret", secret), slog.String("origins", strings.Join(c.Origins, " ")),
		slog.Duration("heartbeat", c.Heartbeat), slog.Duration("init-timeout", c.InitTimeout),
		slog.Duration("presence-ttl", c.PresenceTTL), slog.Duration("presence-grace", c.PresenceGrace),
		slog.Duration("cutoff", c.Cutoff),
		slog.Int("log-max-entries", c.LogMaxEntries), slog.Duration("log-max-age", c.LogMaxAge),
	)
}

func (c *config) storeName() string {
	if c.RedisURL == "" {
		return "sqlite in " + c.Data
	}
	return "redis at " + redis.Describe(c.RedisURL)
}
