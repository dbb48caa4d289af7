package redis

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	goredis "github.com/redis/go-redis/v9"
)

// mode is how the servers behind a URL belong together.
type mode string

const (
	single   mode = "single"
	sentinel mode = "sentinel"
	cluster  mode = "cluster"
)

// Ports of hosts that come without.
const (
	serverPort   = "6379"
	sentinelPort = "26379"
)

// errBadURL names nothing of the URL, which may hold a password anywhere.
var errBadURL = errors.New("redis: can't make sense of the URL: it should be redis://user:password@host:port/db, " +
	"unix:///path/to/socket?db=0, redis+sentinel://user:password@host:port,host:port/master-name/db or " +
	"redis+cluster://user:password@host:port,host:port; rediss, with two s, is TLS; " +
	"special characters in passwords are written %XX")

// address is what a URL says.
type address struct {
	mode mode
	// hosts are the servers to begin with: the one there is, or some of the Sentinels' or the cluster's.
	hosts []string
	// master is the name by which Sentinels know the master.
	master string
	// sentinelUser and sentinelPassword are for the Sentinels themselves.
	sentinelUser, sentinelPassword string
	// options are for every data server; those of the first host.
	options *goredis.Options
}

// parseURL reads a URL:
//
//	redis://[user:password@]host[:port][/db]                              one server
//	unix://[user:password@]/path/to/socket[?db=n]                         one server
//	redis+sentinel://[user:password@]host[:port],…/master[/db]            a master that Sentinels watch
//	redis+cluster://[user:password@]host[:port],…                         a cluster
//
// with rediss for TLS. go-redis's options (dial_timeout, pool_size …) may follow as query parameters,
// for Sentinels also sentinel_username and sentinel_password.
func parseURL(text string) (address, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return address{}, errBadURL
	}
	base, kind, many := strings.Cut(scheme, "+")
	if !many {
		o, err := goredis.ParseURL(text)
		if err != nil {
			return address{}, errBadURL
		}
		return address{mode: single, hosts: []string{o.Addr}, options: o}, nil
	}
	if base != "redis" && base != "rediss" {
		return address{}, errBadURL
	}
	switch mode(kind) {
	case sentinel:
		return parseSentinelURL(base, rest)
	case cluster:
		return parseClusterURL(base, rest)
	}
	return address{}, errBadURL
}

func parseSentinelURL(scheme, rest string) (address, error) {
	p, err := splitURL(rest, sentinelPort)
	if err != nil {
		return address{}, err
	}
	master, db, _ := strings.Cut(p.path, "/")
	if master, err = url.PathUnescape(master); err != nil || master == "" {
		return address{}, errBadURL
	}
	a := address{
		mode: sentinel, hosts: p.hosts, master: master,
		sentinelUser: p.query.Get("sentinel_username"), sentinelPassword: p.query.Get("sentinel_password"),
	}
	p.query.Del("sentinel_username")
	p.query.Del("sentinel_password")
	a.options, err = p.options(scheme, db)
	return a, err
}

func parseClusterURL(scheme, rest string) (address, error) {
	p, err := splitURL(rest, serverPort)
	if err != nil {
		return address{}, err
	}
	o, err := p.options(scheme, p.path)
	if err != nil || o.DB != 0 { // a cluster has one database
		return address{}, errBadURL
	}
	return address{mode: cluster, hosts: p.hosts, options: o}, nil
}

// urlParts are the parts of a URL with several hosts, which net/url doesn't read.
type urlParts struct {
	user  string // with its @, escaped, "" for none
	hosts []string
	path  string // without the slash before it, escaped
	query url.Values
}

func splitURL(rest, port string) (p urlParts, err error) {
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		p.user, authority = authority[:at+1], authority[at+1:]
	}
	p.path = strings.TrimSuffix(path, "/")
	if p.query, err = url.ParseQuery(query); err != nil || strings.Contains(rest, "#") {
		return urlParts{}, errBadURL
	}
	for host := range strings.SplitSeq(authority, ",") {
		host, err := withPort(host, port)
		if err != nil {
			return urlParts{}, err
		}
		if !slices.Contains(p.hosts, host) {
			p.hosts = append(p.hosts, host)
		}
	}
	return p, nil
}

func withPort(host, port string) (string, error) {
	u, err := url.Parse("redis://" + host)
	if err != nil || u.Hostname() == "" || u.Host != host {
		return "", errBadURL
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// options reads what is said of every server as go-redis does.
func (p urlParts) options(scheme, db string) (*goredis.Options, error) {
	o, err := goredis.ParseURL(scheme + "://" + p.user + p.hosts[0] + "/" + db + "?" + p.query.Encode())
	if err != nil {
		return nil, errBadURL
	}
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each server goes by its own name
	}
	return o, nil
}

// String names the servers, and nothing that is secret.
func (a address) String() string {
	hosts := strings.Join(a.hosts, ",")
	switch a.mode {
	case sentinel:
		return a.master + " of the Sentinels " + hosts
	case cluster:
		return "the cluster " + hosts
	}
	return hosts
}

// Describe names the servers behind a URL as they may be printed: without users and passwords.
func Describe(url string) string {
	a, err := parseURL(url)
	if err != nil {
		return "a URL that can't be read"
	}
	return a.String()
}
