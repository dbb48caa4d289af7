package main

import (
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificate is what the server proves its name with. The files are read again when they have changed, so
// that a certificate is renewed without a restart.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	current atomic.Pointer[tls.Certificate]

	looking sync.Mutex // held by who looks at the files
	looked  time.Time
	seen    [sha256.Size]byte // what was in them
	failure string            // what was wrong with them
}

// lookAgain is how often the files are looked at, if clients come that often.
const lookAgain = time.Second

// openCertificate reads a certificate, which must be good.
func openCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("PARLEY_TLS_CERT and PARLEY_TLS_KEY: %w", err)
	}
	return c, nil
}

// get returns the certificate for a client (tls.Config.GetCertificate). A handshake in a second looks whether the
// files have changed; what is wrong with them then is told once, and the certificate that there was serves on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.looking.TryLock() {
		c.look()
		c.looking.Unlock()
	}
	return c.current.Load(), nil
}

func (c *certificate) look() {
	if time.Since(c.looked) < lookAgain {
		return
	}
	before, failure := c.current.Load(), ""
	if err := c.read(); err != nil {
		failure = err.Error()
	}
	switch {
	case failure != c.failure && failure != "": // or else the files are just being replaced, or were told of
		c.log.Error("the TLS certificate can't be renewed, the one before serves on", "error", failure, "until", c.expires())
	case c.current.Load() != before:
		c.log.Info("the TLS certificate was renewed", "until", c.expires())
	}
	c.failure = failure
}

// read reads the files, if they aren't what they were.
func (c *certificate) read() error {
	c.looked = time.Now()
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return err
	}
	seen := sha256.Sum256(append(append(append([]byte{}, cert...), 0), key...))
	if seen == c.seen {
		return nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}
	c.seen = seen
	c.current.Store(&pair)
	if time.Now().After(c.expires()) {
		c.log.Error("the TLS certificate has expired", "at", c.expires())
	}
	return nil
}

// expires returns when the certificate does.
func (c *certificate) expires() time.Time { return c.current.Load().Leaf.NotAfter }
