package transport_test

import (
	"context"
	"testing"
	"testing/synctest"

	"parley/ratelimit"
	"parley/transport"
)

// fullHouse has no room, but counts who comes all the same.
type fullHouse struct{ inside, users int }

var errFull = &ratelimit.Exceeded{Name: "connections"}

func (*fullHouse) Full(context.Context) error { return nil } // it wasn't when that was asked

func (h *fullHouse) Enter(context.Context) error {
	h.inside++
	return errFull
}

func (h *fullHouse) EnterUser(context.Context) error {
	h.users++
	return nil
}

func (h *fullHouse) Leave(context.Context)     { h.inside-- }
func (h *fullHouse) LeaveUser(context.Context) { h.users-- }

// TestRefusedConnectionsIdentifyNobody: one that is refused for its number counts for no user, and whoever
// cares isn't told that it is there.
func TestRefusedConnectionsIdentifyNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		house := &fullHouse{}
		service := newService(transport.Options{Counts: house, Connected: func(context.Context) func() {
			t.Error("told that it is there")
			return nil
		}})
		conn, p := connect(t, service, transport.Link{})
		if conn.Identify(conn.Context()) || house.users != 0 {
			t.Errorf("welcome, as one of %d of the user's", house.users)
		}
		p.want("end: " + transport.ReasonTooMany.Text)
		p.send("bye")
		service.Close()
		if house.inside != 0 {
			t.Errorf("%d are counted", house.inside)
		}
		_ = p.conn.Close()
	})
}
