package parleytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificate is a certificate for 127.0.0.1 that signs itself, in two files.
type Certificate struct {
	Cert, Key string

	t testing.TB
}

// NewCertificate makes one.
func NewCertificate(t testing.TB) *Certificate {
	t.Helper()
	dir := t.TempDir()
	c := &Certificate{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), t: t}
	c.Renew(1)
	return c
}

// Settings have a node serve with the certificate.
func (c *Certificate) Settings() map[string]string {
	return map[string]string{"PARLEY_TLS_CERT": c.Cert, "PARLEY_TLS_KEY": c.Key}
}

// Renew replaces both files.
func (c *Certificate) Renew(serial int64) {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		c.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(c.Cert, &pem.Block{Type: "CERTIFICATE", Bytes: cert})
	c.write(c.Key, &pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func (c *Certificate) write(file string, block *pem.Block) {
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// Config trusts the certificate as it is now.
func (c *Certificate) Config() *tls.Config {
	c.t.Helper()
	text, err := os.ReadFile(c.Cert)
	if err != nil {
		c.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
}

// HTTP returns a client that trusts the certificate as it is now, over HTTP/1.1 or HTTP/2, by connections of its own.
func (c *Certificate) HTTP(http2 bool) *http.Client {
	c.t.Helper()
	transport := &http.Transport{
		TLSClientConfig: c.Config(), Protocols: new(http.Protocols),
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 256 << 10}, // as little as a test of slow readers needs
	}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	c.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
