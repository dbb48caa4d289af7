package redis

import (
	"context"
	"embed"
	"errors"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

//go:embed lua
var sources embed.FS

// script is a verb of the store, in Lua; its file says what it takes and returns. It answers with a
// list whose first element is a word.
type script struct {
	name string
	text string
	lua  *goredis.Script
	// readOnly scripts may be sent again when their answer was lost.
	readOnly bool
	// durable scripts are done once enough replicas have what they wrote. They share their round trips, as
	// do quick ones, which read little.
	durable, quick bool
}

var (
	createScript     = durable("create", "clock", "notify", "room", "member", "log", "retention")
	appendScript     = durable("append", "clock", "rate", "notify", "room", "receipts", "member", "log", "retention")
	fenceScript      = writing("fence", "clock", "notify", "room", "member", "log", "retention")
	markReadScript   = durable("mark-read", "clock", "room", "receipts", "member")
	forgetRoomScript = writing("forget-room")
	recordScript     = writing("record")
	takeScript       = writing("take", "rate")

	readScript        = reading("read", "room", "member", "log")
	viewScript        = quick("view", "room", "member")
	messagesScript    = reading("messages", "room", "member")
	membersScript     = reading("members", "member")
	unreadScript      = reading("unread")
	membershipsScript = reading("memberships", "room", "member")
	publicScript      = reading("public")
	roomScript        = reading("room", "room")

	renewScript      = writing("renew", "clock")
	releaseScript    = writing("release", "clock")
	leasesScript     = writing("leases", "clock")
	dueScript        = reading("due", "clock")
	connectScript    = writing("connect", "clock", "notify", "presence")
	disconnectScript = writing("disconnect", "clock", "notify", "presence")
	offlineScript    = writing("offline", "clock", "notify", "presence")
	typingScript     = writing("typing", "clock", "notify", "typing")
	typingNowScript  = reading("typing-now", "clock", "typing")

	revokeScript         = durable("revoke", "clock", "notify")
	revocationsScript    = reading("revocations", "clock")
	ticketPutScript      = writing("ticket-put", "clock")
	ticketOpenScript     = writing("ticket-open", "clock", "notify")
	ticketNoteScript     = writing("ticket-note", "clock")
	ticketDropScript     = writing("ticket-drop")
	ticketOpeningsScript = reading("ticket-openings")

	reservationPutScript    = writing("reservation-put")
	reservationChangeScript = writing("reservation-change", "notify")
	reservationDropScript   = writing("reservation-drop", "notify")
	reservationNoteScript   = writing("reservation-note", "clock")
)

func writing(name string, libs ...string) *script {
	text := source(name, libs)
	return &script{name: name, text: text, lua: goredis.NewScript(text)}
}

func durable(name string, libs ...string) *script {
	sc := writing(name, libs...)
	sc.durable = true
	return sc
}

func reading(name string, libs ...string) *script {
	sc := writing(name, libs...)
	sc.readOnly = true
	return sc
}

func quick(name string, libs ...string) *script {
	sc := reading(name, libs...)
	sc.quick = true
	return sc
}

// source puts the parts a verb is made of into one, since scripts can't load others.
func source(name string, libs []string) string {
	var b strings.Builder
	for _, lib := range libs {
		b.WriteString(file("lua/lib/" + lib + ".lua"))
	}
	b.WriteString(file("lua/" + name + ".lua"))
	return b.String()
}

func file(path string) string {
	text, err := sources.ReadFile(path)
	if err != nil {
		panic(err) // it is embedded, or the program isn't whole
	}
	return string(text)
}

// run runs a script. A reading one is tried again, once, when the way to Redis fails; a writing one
// isn't, since it may have been done.
func (s *Store) run(ctx context.Context, sc *script, keys []string, args ...any) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	start := time.Now()
	got, err := s.runOnce(ctx, sc, keys, args)
	if err != nil && sc.readOnly && ctx.Err() == nil && !isReply(err) {
		got, err = s.runOnce(ctx, sc, keys, args)
	}
	s.metrics.observe(sc, time.Since(start))
	if err != nil {
		return nil, fault(ctx, sc.name, err)
	}
	return got, nil
}

func (s *Store) runOnce(ctx context.Context, sc *script, keys []string, args []any) (answer, error) {
	send := func(command []any) (any, error) {
		switch {
		case sc.durable:
			return s.write(ctx, keys[0], command)
		case sc.quick:
			return s.client.together(ctx, s.reads, keys[0], command)
		}
		return s.client.once(ctx, command...)
	}
	got, err := send(sc.command("EVALSHA", sc.lua.Hash(), keys, args))
	if isNoScript(err) {
		got, err = send(sc.command("EVAL", sc.text, keys, args))
	}
	list, _ := got.([]any)
	return list, err
}

// command is the script's call, by its hash or its text.
func (sc *script) command(verb, body string, keys []string, args []any) []any {
	if sc.readOnly {
		verb += "_RO"
	}
	command := make([]any, 0, 3+len(keys)+len(args))
	command = append(command, verb, body, len(keys))
	for i := range keys {
		command = append(command, &keys[i]) // which goes in as it is: a string would be moved
	}
	return append(command, args...)
}

// isReply tells an error that Redis answered from one of the way to it.
func isReply(err error) bool {
	var reply goredis.Error
	return errors.As(err, &reply)
}

// call is one run of a script among several.
type call struct {
	keys []string
	args []any
}

// runAll runs a reading script several times in one round trip, each run atomic by itself. With an error,
// the answers that came are there all the same, and nil in the place of the others.
func (s *Store) runAll(ctx context.Context, sc *script, calls []call) ([]answer, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	start := time.Now()
	answers := make([]answer, len(calls))
	err := s.pipeline(ctx, sc, calls, answers)
	if err != nil {
		if isNoScript(err) {
			err = s.client.each(ctx, func(ctx context.Context, c *goredis.Client) error { return sc.lua.Load(ctx, c).Err() })
		}
		if ctx.Err() == nil && (err == nil || !isReply(err)) {
			err = s.pipeline(ctx, sc, calls, answers)
		}
	}
	s.metrics.observe(sc, time.Since(start))
	if err != nil {
		return answers, fault(ctx, sc.name, err)
	}
	return answers, nil
}

// isNoScript tells the answer of a server that is new, or newly promoted, and knows no scripts yet.
func isNoScript(err error) bool { return err != nil && goredis.HasErrorPrefix(err, "NOSCRIPT") }

// pipeline asks for the answers that aren't there yet.
func (s *Store) pipeline(ctx context.Context, sc *script, calls []call, answers []answer) error {
	return s.client.settled(ctx, func() (failed error) {
		pipe := s.client.Pipeline()
		cmds := make([]*goredis.Cmd, len(calls))
		for i, c := range calls {
			if answers[i] == nil {
				cmds[i] = sc.lua.EvalShaRO(ctx, pipe, c.keys, c.args...)
			}
		}
		_, _ = pipe.Exec(ctx) // each command has its own error
		for i, cmd := range cmds {
			if cmd == nil {
				continue
			}
			var err error
			answers[i], err = cmd.Slice()
			if failed == nil || isNoScript(err) { // that one can be mended
				failed = err
			}
		}
		return failed
	})
}

// answer is what a script returned. What isn't there, or of another type, reads as the zero value.
type answer []any

func (a answer) at(i int) any {
	if i < len(a) {
		return a[i]
	}
	return nil
}

// word is how the script ended.
func (a answer) word() string { return a.text(0) }

func (a answer) text(i int) string {
	text, _ := a.at(i).(string)
	return text
}

func (a answer) list(i int) answer {
	list, _ := a.at(i).([]any)
	return list
}

// number reads an integer, or a text that says one.
func (a answer) number(i int) uint64 {
	switch v := a.at(i).(type) {
	case int64:
		return uint64(v)
	case string:
		n, _ := strconv.ParseUint(v, 10, 64)
		return n
	}
	return 0
}

// from returns the texts from the i-th element on.
func (a answer) from(i int) []string {
	texts := make([]string, 0, max(0, len(a)-i))
	for ; i < len(a); i++ {
		texts = append(texts, a.text(i))
	}
	return texts
}
