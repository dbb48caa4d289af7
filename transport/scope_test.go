package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"parley/transport"
)

// TestScope: what runs in a connection's context ends with the connection, whenever it began, and nothing else of it does.
func TestScope(t *testing.T) {
	type key struct{}
	onConn(t, "ends with the connection", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		ctx := conn.Context()
		child, cancel := context.WithTimeout(context.WithValue(ctx, key{}, "value"), time.Hour)
		defer cancel()
		finished, finish := context.WithCancel(ctx)
		finish()
		called := 0
		context.AfterFunc(ctx, func() { called++ })
		stopped := context.AfterFunc(ctx, func() { t.Error("called after it was stopped") })
		if !stopped() || stopped() {
			t.Error("stopping is true once")
		}
		if ctx.Err() != nil || child.Err() != nil || !errors.Is(finished.Err(), context.Canceled) {
			t.Fatalf("before the end: %v, %v, %v", ctx.Err(), child.Err(), finished.Err())
		}
		if transport.ConnFrom(child) != conn || child.Value(key{}) != "value" || transport.ConnFrom(t.Context()) != nil {
			t.Error("a context has the connection and values of its own")
		}
		_ = p.conn.Close()
		<-ctx.Done()
		<-child.Done()
		synctest.Wait()
		if !errors.Is(ctx.Err(), context.Canceled) || !errors.Is(child.Err(), context.Canceled) || called != 1 {
			t.Errorf("after the end: %v, %v, called %d times", ctx.Err(), child.Err(), called)
		}
		late, cancel := context.WithCancel(ctx)
		defer cancel()
		<-late.Done()
		context.AfterFunc(ctx, func() { called++ })
		synctest.Wait()
		if called != 2 {
			t.Error("not called when the end had come before")
		}
	})
	onConn(t, "can be looked at by who holds a lock", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		ctx := conn.Context()
		conn.Locked(func() { // as the outbox does, whose lock is taken under this one elsewhere
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			select {
			case <-child.Done():
				t.Error("it has ended")
			default:
			}
			if ctx.Err() != nil {
				t.Error(ctx.Err())
			}
		})
		_ = p.conn.Close()
	})
	onConn(t, "has no end while nobody hangs up", func(t *testing.T, service *transport.Service) {
		conn, p := connect(t, service, transport.Link{})
		ctx, cancel := context.WithTimeout(conn.Context(), time.Second)
		defer cancel()
		<-ctx.Done()
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) || conn.Context().Err() != nil {
			t.Errorf("got %v, %v", ctx.Err(), conn.Context().Err())
		}
		_ = p.conn.Close()
	})
}
