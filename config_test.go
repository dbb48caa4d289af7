package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
)

// noSettings empties the environment of settings until the test ends.
func noSettings(t testing.TB) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PARLEY_") {
			t.Setenv(name, value) // restores it afterwards
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// settings parses flags as the program does, with nothing in the environment.
func settings(t testing.TB, args ...string) (*config, error) {
	t.Helper()
	noSettings(t)
	return parseConfig(args)
}

// TestEverySettingHasItsNames: the flag is the variable's name, and docs/settings.md tells both of
// them and the default.
func TestEverySettingHasItsNames(t *testing.T) {
	doc, err := os.ReadFile("docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&config{})
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]string{}
	for _, f := range parser.Model.Flags {
		if len(f.Envs) == 1 {
			flags[f.Envs[0]] = f.Name
		}
	}
	for _, tag := range tags(reflect.TypeFor[config]()) {
		env := tag.Get("env")
		want := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(env, "PARLEY_"), "_", "-"))
		if flags[env] != want {
			t.Errorf("%s is the flag --%s, not --%s", env, flags[env], want)
		}
		row := "| `" + env + "` | "
		if def := tag.Get("default"); def != "" {
			row += "`" + def + "` |"
		}
		if !strings.Contains(string(doc), row) {
			t.Errorf("docs/settings.md has no row beginning with %s", row)
		}
	}
}

// tags are those of the settings, of embedded groups too.
func tags(of reflect.Type) (all []reflect.StructTag) {
	for i := range of.NumField() {
		field := of.Field(i)
		if _, group := field.Tag.Lookup("embed"); group {
			all = append(all, tags(field.Type)...)
		} else {
			all = append(all, field.Tag)
		}
	}
	return all
}

func TestSettingsThatDontFit(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"open to the world in development": {[]string{"--addr=0.0.0.0:8080"}, "development mode"},
		"a secret and a key set":           {[]string{"--auth-secret=" + strings.Repeat("s", 32), "--auth-jwks-url=https://issuer.test/"}, "not both"},
		"an issuer in development":         {[]string{"--auth-issuer=https://issuer.test/"}, "PARLEY_AUTH_ISSUER"},
		"keys fetched without a pause":     {[]string{"--auth-jwks-refresh=1ms"}, "PARLEY_AUTH_JWKS_REFRESH"},
		"lives too short for development":  {[]string{"--auth-max-lifetime=1h"}, "PARLEY_AUTH_MAX_LIFETIME"},
		"tickets that expire at once":      {[]string{"--ticket-ttl=1ms"}, "PARLEY_TICKET_TTL"},
		"no room for revocations":          {[]string{"--max-revocations=0"}, "PARLEY_MAX_REVOCATIONS"},
		"an expiry spread backwards":       {[]string{"--expiry-spread=-1s"}, "PARLEY_EXPIRY_SPREAD"},
		"heartbeat":                        {[]string{"--heartbeat=10ms"}, "PARLEY_HEARTBEAT"},
		"cutoff":                           {[]string{"--cutoff=1s"}, "PARLEY_CUTOFF"},
		"presence":                         {[]string{"--presence-ttl=1s"}, "PARLEY_PRESENCE_TTL"},
		"frame smaller than content":       {[]string{"--max-frame=8192"}, "PARLEY_MAX_FRAME"},
		"waiting for nobody's replicas":    {[]string{"--redis-wait=1"}, "PARLEY_REDIS_URL"},
		"waiting too long":                 {[]string{"--redis-wait-timeout=1m"}, "PARLEY_REDIS_WAIT_TIMEOUT"},
		"a certificate without its key":    {[]string{"--tls-cert=x"}, "PARLEY_TLS_CERT and PARLEY_TLS_KEY go together"},
		"half a client certificate":        {[]string{"--redis-tls-cert=x"}, "go together"},
		"no entries":                       {[]string{"--log-max-entries=0"}, "PARLEY_LOG_MAX_ENTRIES"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := settings(t, c.args...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestSettingsByVariable(t *testing.T) {
	if _, err := settings(t); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PARLEY_HEARTBEAT", "2s")
	t.Setenv("PARLEY_ADDR", "0.0.0.0:80")
	t.Setenv("PARLEY_AUTH_SECRET", strings.Repeat("s", 32))
	c, err := parseConfig(nil)
	if err != nil || c.Heartbeat != 2*time.Second || c.development() {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestSettingsArePrintedWithoutSecrets(t *testing.T) {
	c, err := settings(t, "--auth-secret="+strings.Repeat("hush", 10), "--redis-url=redis://user:hush@127.0.0.1:1/0")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("up", "settings", c)
	if strings.Contains(b.String(), "hush") {
		t.Error(b.String())
	}
}

// FuzzSettings gives two settings any values: they are refused with an error that says nothing secret, or
// what they make is bounded, printed without secrets, and fit for what is made of it.
func FuzzSettings(f *testing.F) {
	const secret = "hush hush hush hush hush hush hush"
	noSettings(f)
	parser, err := kong.New(&config{})
	if err != nil {
		f.Fatal(err)
	}
	var names []string
	for _, flag := range parser.Model.Flags {
		if flag.Name != "help" {
			names = append(names, flag.Name)
		}
	}
	at := func(name string) byte { return byte(slices.Index(names, name)) }
	values := []string{"", "0", "-1", "x", "1h", "-1s", "127.0.0.1:0", "10.0.0.0/8,::1", "1/s burst 2", "99999999999999999999"}
	for i := range names { // each has some value, and each kind of value some setting
		f.Add(byte(i), values[i%len(values)], at("auth-secret"), secret)
	}
	f.Add(at("addr"), "0.0.0.0:80", at("data"), "")
	f.Add(at("redis-url"), "redis://user:password@h:1/0", at("auth-secret"), secret)
	f.Add(at("redis-url"), "redis://h:1/0", at("redis-wait"), "1")
	f.Add(at("max-content"), "1000000", at("max-frame"), "1000")
	f.Add(at("trusted-proxies"), "10.0.0.0/8,::1", at("proxy-header"), "Forwarded")
	f.Fuzz(func(t *testing.T, one byte, value string, another byte, other string) {
		var c config
		parser, err := kong.New(&c, kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
		if err != nil {
			t.Fatal(err)
		}
		first, second := names[int(one)%len(names)], names[int(another)%len(names)]
		if _, err := parser.Parse([]string{"--" + first + "=" + value, "--" + second + "=" + other}); err != nil {
			return
		}
		printed, valid := c.LogValue().String(), c.validate()
		hidden := second == "auth-secret" && other == secret && !strings.Contains(value, secret)
		if hidden && (strings.Contains(printed, secret) || strings.Contains(fmt.Sprint(valid), secret)) {
			t.Fatalf("a secret is told: %s, %v", printed, valid)
		}
		if valid != nil {
			return
		}
		if c.development() && !isLoopback(c.Addr) {
			t.Fatalf("development mode would listen on %q", c.Addr)
		}
		for name, n := range numbers(reflect.ValueOf(c)) {
			if n < 0 || n == 0 && !mayBeNothing[name] {
				t.Fatalf("%s is %d", name, n)
			}
		}
		if _, err := newLimits(&c, prometheus.NewRegistry()); err != nil && len(c.TrustedProxies) == 0 {
			t.Fatal(err)
		}
	})
}

// mayBeNothing are the numbers and times that may be 0.
var mayBeNothing = map[string]bool{
	"PARLEY_REDIS_WAIT": true, "PARLEY_AUTH_MAX_LIFETIME": true, "PARLEY_EXPIRY_SPREAD": true, "PARLEY_PRESENCE_GRACE": true,
	"PARLEY_DRAIN_WINDOW": true,
}

// numbers are the settings that are numbers or times, of embedded groups too, by their variables.
func numbers(of reflect.Value) map[string]int64 {
	all := map[string]int64{}
	for i := range of.NumField() {
		field, value := of.Type().Field(i), of.Field(i)
		if _, group := field.Tag.Lookup("embed"); group {
			maps.Copy(all, numbers(value))
		} else if value.CanInt() && field.Type != reflect.TypeFor[slog.Level]() {
			all[field.Tag.Get("env")] = value.Int()
		}
	}
	return all
}
