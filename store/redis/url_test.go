package redis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for url, want := range map[string]string{
		"redis://h":                     "single h:6379 db 0",
		"redis://u:p@h:1/2":             "single h:1 db 2 as u:p",
		"rediss://h:1":                  "single h:1 db 0 tls h",
		"unix://u:p@/run/r.sock?db=3":   "single /run/r.sock db 3 as u:p",
		"redis+sentinel://s1,s2:1/chat": "sentinel s1:26379,s2:1 chat db 0",
		"rediss+sentinel://u:p%2F@s1,[::1]:2/a%20b/4?sentinel_username=su&sentinel_password=sp": "sentinel s1:26379,[::1]:2 a b db 4 as u:p/ sentinel su:sp tls",
		"redis+sentinel://s/chat?pool_size=7":                                                   "sentinel s:26379 chat db 0 pool 7",
		"redis+cluster://a,b:1,a":                                                               "cluster a:6379,b:1 db 0",
		"rediss+cluster://:p@a/":                                                                "cluster a:6379 db 0 as :p tls",
	} {
		t.Run(url, func(t *testing.T) {
			a, err := parseURL(url)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, summary(a)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, url := range []string{
		"", "redis", "http://h", "redis+sentinel://h", "redis+sentinel:///m", "redis+sentinel://h,/m", "redis+sentinel://h:x/m",
		"redis+cluster://", "redis+cluster://h/1", "redis+cluster://h?nonsense=1", "redis+ring://h", "unix+cluster://h",
		"redis+cluster://h,b c", "redis+cluster://h/0#x", "redis+sentinel://h/m/x",
	} {
		if a, err := parseURL(url); err == nil {
			t.Errorf("%q was read as %s", url, summary(a))
		}
	}
}

func summary(a address) string {
	o := a.options
	text := string(a.mode) + " " + strings.Join(a.hosts, ",")
	add := func(yes bool, words ...string) {
		if yes {
			text += " " + strings.Join(words, "")
		}
	}
	add(a.master != "", a.master)
	add(true, "db ", string(rune('0'+o.DB)))
	add(o.Username+o.Password != "", "as ", o.Username, ":", o.Password)
	add(a.sentinelUser != "", "sentinel ", a.sentinelUser, ":", a.sentinelPassword)
	if o.TLSConfig != nil {
		add(true, strings.TrimSpace("tls "+o.TLSConfig.ServerName))
	}
	add(o.PoolSize != 0, "pool ", string(rune('0'+o.PoolSize)))
	return text
}

// FuzzParseURL: whatever the URL, neither its name nor an error tells a password, and what is read has
// servers.
func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"redis://u:hush@h:1/2", "redis+sentinel://:hush@a,b:2/m/3?sentinel_password=hush", "rediss+cluster://hush@a,[::1]:7/",
		"unix://:hush@/s", "redis+cluster://u:hu/sh@a", "redis+sentinel://a@hush@b/c?d=%zz",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, url string) {
		const secret = "hush"
		a, err := parseURL(url)
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", url, err)
			}
			return
		}
		if len(a.hosts) == 0 || a.options == nil || a.options.Addr == "" {
			t.Errorf("%q names no server: %+v", url, a)
		}
		if password := a.options.Password; len(password) > 3 && !strings.Contains(strings.Join(a.hosts, ",")+a.master, password) &&
			strings.Contains(Describe(url), password) {
			t.Errorf("%q is described as %q", url, Describe(url))
		}
	})
}
