package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"parley/transport"
)

// maxStreams bounds the requests and streams at a time on one HTTP/2 connection: as many as RFC 9113 §6.5.2 asks for, and as
// one user may have open as connections by default. A client that wants more opens another one.
const maxStreams = 100

// secure has a server speak TLS, if there is a certificate: HTTP/2 with clients that can, else HTTP/1.1.
func secure(h *http.Server, c *config, logger *slog.Logger, metrics prometheus.Registerer) error {
	if c.TLSCert == "" {
		return nil
	}
	certificate, err := openCertificate(c.TLSCert, c.TLSKey, logger)
	if err != nil {
		return err
	}
	metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "parley", Name: "tls_certificate_expiry_timestamp_seconds", Help: "When the TLS certificate expires, in Unix time.",
	}, func() float64 { return float64(certificate.expires().Unix()) }))
	h.TLSConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: certificate.get, NextProtos: []string{"h2", "http/1.1"},
	}
	h.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: maxStreams,
		// A peer may stand still for as long as one of HTTP/1.1.
		SendPingTimeout: c.Heartbeat, PingTimeout: c.StallTimeout, WriteByteTimeout: c.StallTimeout,
	}
	h.ConnContext = transport.KeepSocket
	h.ErrorLog = log.New(serverLog{logger}, "", 0)
	return nil
}

// serverLog takes what net/http has to tell. Anybody can fail a handshake, or break HTTP/2, as often as they like.
type serverLog struct{ log *slog.Logger }

// Write implements io.Writer.
func (l serverLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	byPeer := bytes.HasPrefix(line, []byte("http: TLS handshake error")) || bytes.HasPrefix(line, []byte("http2: "))
	if byPeer && !bytes.HasPrefix(line, []byte("http2: panic")) {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, string(bytes.TrimSpace(line)))
	return len(line), nil
}
