package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/store/redis"
	"parley/store/redis/redistest"
)

// aclRules are those that docs/operations.md tells an operator to write, with our password.
func aclRules(t *testing.T) []any {
	t.Helper()
	text, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	found := regexp.MustCompile("(?s)ACL SETUSER parley (.*?)\n```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/operations.md has no ACL rules")
	}
	rules := []any{"ACL", "SETUSER", "parley"}
	for _, rule := range strings.Fields(strings.ReplaceAll(string(found[1]), "\\", " ")) {
		rules = append(rules, strings.Replace(rule, ">PASSWORD", ">"+secret, 1))
	}
	return rules
}

// asParley puts the user into a URL.
func asParley(url string) string { return strings.Replace(url, "://", "://parley:"+secret+"@", 1) }

// TestACLRules: a user with exactly the rules of the documentation can do everything; one with a command
// less is refused at start, and the command is named.
func TestACLRules(t *testing.T) {
	cluster := redistest.StartCluster(t, 1, 0)
	for name, on := range map[string]struct {
		url    string
		server *redistest.Server
	}{
		"one server": func() (on struct {
			url    string
			server *redistest.Server
		}) {
			on.server = redistest.Start(t)
			on.url = on.server.URL
			return on
		}(),
		"a cluster": {cluster.URL, cluster.Servers[0]},
	} {
		t.Run(name, func(t *testing.T) {
			on.server.Do(aclRules(t)...)
			store := open(t, named(asParley(on.url)), redis.Options{})
			f := follow(t, store, newRoom(t, store, ada))
			everyVerb(t, store)
			insist(t, store, f.log, "heard")
			must(t, f.until(2))
			nothingDenied(t, on.server)
			for _, command := range []string{"xadd", "hset", "evalsha", "info", "spublish", "publish"} {
				if command == "spublish" && on.url != cluster.URL || command == "publish" && on.url == cluster.URL {
					continue
				}
				on.server.Do("ACL", "SETUSER", "parley", "-"+command)
				if err := refused(t, asParley(on.url), "ACL rules"); !strings.Contains(strings.ToLower(err.Error()), command) {
					t.Errorf("%s isn't named in: %v", command, err)
				}
				on.server.Do("ACL", "SETUSER", "parley", "+"+command)
			}
			on.server.Do("ACL", "SETUSER", "parley", "resetchannels")
			refused(t, asParley(on.url), "UBLISH", "ACL rules")
		})
	}
}

// nothingDenied fails if a server has refused its users anything.
func nothingDenied(t *testing.T, server *redistest.Server) {
	t.Helper()
	if denied := server.Do("ACL", "LOG").([]any); len(denied) > 0 {
		t.Errorf("refused: %v", denied)
	}
}

// named is a URL that a store can be opened on.
type named string

func (n named) Address() string { return string(n) }

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certify(t, dir)
	file := func(name string) string { return filepath.Join(dir, name) }
	trust := redis.TLS{CA: file("cert"), Cert: file("cert"), Key: file("key"), ServerName: "redis.test"}
	url := strings.Replace(redistest.Start(t, redistest.TLS(trust.Cert, trust.Key)...).URL, "127.0.0.1", "localhost", 1)
	t.Run("with all of it", func(t *testing.T) {
		store := open(t, named(url), redis.Options{TLS: trust})
		newRoom(t, store, ada)
	})
	for name, c := range map[string]struct {
		change func(*redis.TLS)
		url    string
		says   string
	}{
		"an authority nobody knows":   {func(s *redis.TLS) { s.CA = "" }, url, "unknown authority"},
		"another name":                {func(s *redis.TLS) { s.ServerName = "" }, url, "localhost"},
		"no client certificate":       {func(s *redis.TLS) { s.Cert, s.Key = "", "" }, url, "can't reach"},
		"a file that isn't there":     {func(s *redis.TLS) { s.CA = file("none") }, url, "CA file"},
		"a file without certificates": {func(s *redis.TLS) { s.CA = file("key") }, url, "no certificate"},
		"half a certificate":          {func(s *redis.TLS) { s.Key = "" }, url, "both"},
		"settings without TLS":        {func(*redis.TLS) {}, strings.Replace(url, "rediss", "redis", 1), "rediss"},
	} {
		t.Run(name, func(t *testing.T) {
			settings := trust
			c.change(&settings)
			_, err := redis.Open(t.Context(), redis.Options{URL: c.url, TLS: settings})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestTLSOfMany: Sentinels, a master and its replica, and the servers of a cluster are all met over TLS, as
// the user of the documentation, and so is the one that takes over in a failover.
func TestTLSOfMany(t *testing.T) {
	dir := t.TempDir()
	certify(t, dir)
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	trust := redis.TLS{CA: cert, Cert: cert, Key: key, ServerName: "redis.test"}
	for name, start := range map[string]func() (on servers, all []*redistest.Server, failover func(room string)){
		"with Sentinels": func() (servers, []*redistest.Server, func(string)) {
			s := redistest.StartSentinels(t, 1, redistest.TLS(cert, key)...)
			return s, s.Servers, func(string) { s.Failover() }
		},
		"in a cluster": func() (servers, []*redistest.Server, func(string)) {
			c := redistest.StartCluster(t, 2, 1, redistest.TLS(cert, key)...)
			return c, c.Servers, func(room string) { c.Failover(c.MasterOf(redis.PrefixOf(room))) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			on, all, failover := start()
			for _, server := range all {
				server.Do(aclRules(t)...)
			}
			// What a replica confirms isn't lost in the failover.
			wait := redis.Wait{Replicas: 1, Timeout: 200 * time.Millisecond}
			store := open(t, named(asParley(on.Address())), redis.Options{TLS: trust, Wait: wait})
			everyVerb(t, store)
			room := newRoom(t, store, ada)
			f := follow(t, store, room)
			insist(t, store, room, "before")
			failover(room)
			insist(t, store, room, "after")
			must(t, f.until(3))
			for _, server := range all {
				nothingDenied(t, server)
			}
			for says, o := range map[string]redis.Options{
				"tls: failed to verify certificate": {URL: asParley(on.Address())},
				"WRONGPASS":                         {URL: strings.Replace(asParley(on.Address()), secret, "wrong", 1), TLS: trust},
			} {
				if _, err := redis.Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("%v instead of %s", err, says)
				}
			}
		})
	}
}

// certify writes a certificate for redis.test, signed by itself, and its key.
func certify(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis.test"}, DNSNames: []string{"redis.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t,
		os.WriteFile(filepath.Join(dir, "cert"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(filepath.Join(dir, "key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}
