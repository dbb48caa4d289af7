package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// A server that is gone should be noticed in about a second; one that is slow has a few.
const (
	dialTimeout  = time.Second
	readTimeout  = 3 * time.Second
	writeTimeout = 2 * time.Second
)

// errBadURL names nothing of the URL, which may hold a password anywhere.
var errBadURL = errors.New("redis: can't make sense of the URL: it should be redis://user:password@host:port/db, " +
	"rediss:// for TLS, or unix:///path/to/socket?db=0; special characters in passwords are written %XX")

// clientOptions reads the URL. Timeouts and pool sizes may be set in it, retries may not: an append
// that is sent again might be done twice.
func clientOptions(url string) (*goredis.Options, error) {
	o, err := goredis.ParseURL(url)
	if err != nil {
		return nil, errBadURL
	}
	setDefault(&o.DialTimeout, dialTimeout)
	setDefault(&o.ReadTimeout, readTimeout)
	setDefault(&o.WriteTimeout, writeTimeout)
	setDefault(&o.PoolTimeout, readTimeout)
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.PipelinePoolSize = -1 // pipelines are few and small: they need no connections of their own
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	if o.ClientName == "" {
		o.ClientName = "parley"
	}
	return o, nil
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// quiet drops what go-redis would write to standard error: its errors are returned to us too.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { goredis.SetLogger(quiet{}) }
