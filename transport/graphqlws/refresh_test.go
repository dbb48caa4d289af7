package graphqlws_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"parley/transport"
	"parley/transport/transporttest"
)

// refreshRig is a server whose viewers have little time, except those called "long…".
func refreshRig(t *testing.T, judged *atomic.Int64) *transporttest.Rig {
	t.Helper()
	return newRig(t, transport.Options{
		Expires: func(ctx context.Context) (time.Time, bool) {
			life := time.Second
			if viewer := transporttest.ViewerFrom(ctx); len(viewer) > 4 && viewer[:4] == "long" {
				life = time.Hour
			}
			return time.Now().Add(life), true
		},
		Refresh: func(c *transport.Conn, payload map[string]any) error {
			judged.Add(1)
			switch viewer, _ := payload["viewer"].(string); viewer {
			case "":
				return nil
			case "bad":
				return errors.New("the token is refused")
			case "later":
				return transport.ErrTryLater
			default:
				c.Renew(func(base context.Context) context.Context { return transporttest.WithViewer(base, viewer) })
				return nil
			}
		},
	})
}

func pongWith(payload string) string { return `{"type":"pong","payload":` + payload + `}` }

func TestRefresh(t *testing.T) {
	var judged atomic.Int64
	rig := refreshRig(t, &judged)
	asksWho := func(c *client, want string) {
		t.Helper()
		c.subscribe("who", "{ viewer }")
		if who, _ := c.wantNext("who"); who != want {
			t.Fatalf("%q asks instead of %q", who, want)
		}
		c.want(`{"type":"complete","id":"who"}`)
	}
	t.Run("goes on beyond the end, the subscription untouched", func(t *testing.T) {
		begin := time.Now()
		c := connect(t, rig, `{"viewer":"ada"}`)
		c.subscribe("1", ticks)
		transporttest.Wait(t, "watched", func() bool { return rig.Logs.Watched() == 1 })
		before := judged.Load()
		c.send(pongWith(`{"viewer":"long ada"}`))
		transporttest.Wait(t, "judged", func() bool { return judged.Load() > before })
		c.subscribe("2", "{ hello }")
		c.wantNext("2")
		c.want(`{"type":"complete","id":"2"}`)
		asksWho(c, "long ada")
		time.Sleep(time.Until(begin.Add(1500 * time.Millisecond))) // until the first token is over
		rig.Tick("a", "still here")
		if value, _ := c.wantNext("1"); value != "still here" {
			t.Errorf("got %q", value)
		}
	})
	t.Run("by a bad token is the end", func(t *testing.T) {
		c := connect(t, rig, `{"viewer":"long ada"}`)
		c.send(pongWith(`{"viewer":"bad"}`))
		c.wantClose(4403)
	})
	for name, pong := range map[string]string{
		"of another payload":               pongWith(`{"mark":1}`),
		"of no payload":                    `{"type":"pong"}`,
		"by a token that can't be checked": pongWith(`{"viewer":"later"}`),
	} {
		t.Run(name+" changes nothing", func(t *testing.T) {
			c := connect(t, rig, `{"viewer":"ada"}`)
			c.send(pong)
			asksWho(c, "ada")
			c.wantClose(4403) // at its end
		})
	}
	t.Run("before the init changes nothing", func(t *testing.T) {
		c := dial(t, rig, "graphql-transport-ws")
		c.send(pongWith(`{"viewer":"bad"}`))
		c.wantNothing()
	})
	t.Run("a flood of them is judged one at a time, and the last one counts", func(t *testing.T) {
		c := connect(t, rig, `{"viewer":"long ada"}`)
		for range 1000 {
			c.send(pongWith(`{"viewer":"long bob"}`))
		}
		c.send(pongWith(`{"viewer":"long eve"}`))
		transporttest.Wait(t, "the last one is judged", func() bool {
			c.subscribe("who", "{ viewer }")
			who, _ := c.wantNext("who")
			c.want(`{"type":"complete","id":"who"}`)
			return who == "long eve"
		})
	})
}
