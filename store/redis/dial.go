package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
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

// TLS says, for URLs that begin with rediss, whom to trust and as whom to come.
type TLS struct {
	// CA is a file of certificates to trust, in PEM; "" means the system's.
	CA string
	// Cert and Key are files of a client certificate, in PEM; both or neither.
	Cert, Key string
	// ServerName is the name in the servers' certificates, where it isn't the one they are called by.
	ServerName string
}

// config adds to a configuration what the files say. Errors name files, never what is in them.
func (t TLS) config(c *tls.Config) error {
	if t == (TLS{}) {
		return nil
	}
	if c == nil {
		return errors.New("redis: TLS settings need a URL that begins with rediss")
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return fmt.Errorf("redis: the CA file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("redis: there is no certificate in the CA file %s", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return errors.New("redis: a client certificate needs both a certificate and a key file")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return fmt.Errorf("redis: the client certificate: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	return nil
}

// dial reads the URL and returns a client of the servers behind it; nothing is connected yet. Timeouts
// and pool sizes may be set in the URL, retries may not: an append that is sent again might be done
// twice.
func dial(url string, secure TLS) (*servers, error) {
	a, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	o := a.options
	if err := secure.config(o.TLSConfig); err != nil {
		return nil, err
	}
	o.DialTimeout = cmp.Or(o.DialTimeout, dialTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, readTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, writeTimeout)
	o.PoolTimeout = cmp.Or(o.PoolTimeout, readTimeout)
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1
	o.DialerRetries = 1
	o.PipelinePoolSize = -1 // pipelines are few and small: they need no connections of their own
	o.Protocol = 2
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.ClientName = cmp.Or(o.ClientName, "parley")
	return newServers(a), nil
}

// universalOptions are the options of all modes.
func (a address) universalOptions() *goredis.UniversalOptions {
	o := a.options
	return &goredis.UniversalOptions{
		Addrs: a.hosts, MasterName: a.master, IsClusterMode: a.mode == cluster,
		SentinelUsername: a.sentinelUser, SentinelPassword: a.sentinelPassword,
		ClientName: o.ClientName, DB: o.DB, Protocol: o.Protocol, Username: o.Username, Password: o.Password,
		MaxRetries: o.MaxRetries, DialTimeout: o.DialTimeout, DialerRetries: o.DialerRetries,
		ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, ContextTimeoutEnabled: o.ContextTimeoutEnabled,
		PoolFIFO: o.PoolFIFO, PoolSize: o.PoolSize, PoolTimeout: o.PoolTimeout, PipelinePoolSize: o.PipelinePoolSize,
		MinIdleConns: o.MinIdleConns, MaxIdleConns: o.MaxIdleConns, MaxActiveConns: o.MaxActiveConns,
		ConnMaxIdleTime: o.ConnMaxIdleTime, ConnMaxLifetime: o.ConnMaxLifetime, TLSConfig: o.TLSConfig,
		DisableIdentity: o.DisableIdentity, MaintNotificationsConfig: o.MaintNotificationsConfig,
	}
}

// quiet drops what go-redis would write to standard error: its errors are returned to us too.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { goredis.SetLogger(quiet{}) }
