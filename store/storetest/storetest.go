// Package storetest is the one suite that every storage engine passes. An engine's test is
//
//	func TestStore(t *testing.T) { storetest.Run(t, open) }
//
// and says with goleak that Close left nothing running. Reduced counts are the default; see
// [ProveVariable] for the full size.
package storetest

import (
	"context"
	"testing"
	"time"

	"parley/auth"
	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/reservation"
)

// Store is all that an engine offers.
type Store interface {
	chat.Store
	eventlog.Log
	eventlog.State
	presence.Store
	auth.Store
	reservation.Store

	// Close joins the engine's goroutines. Calls after it answer Unavailable, watches may still
	// be stopped, and closing again does nothing.
	Close() error
	// Ready returns nil if the engine can answer now, else an error wrapping
	// eventlog.ErrUnavailable.
	Ready(ctx context.Context) error
}

// Options are what a test wants of the store it opens.
type Options struct {
	// Retention of the logs; the zero fields mean the engine's defaults.
	Retention eventlog.Retention
}

// concern is one part of the suite, with a store of its own.
type concern struct {
	name    string
	options Options
	test    func(rig)
}

var concerns = []concern{
	{name: "rooms", test: testRooms},
	{name: "append", test: testAppend},
	{name: "versions", test: testVersions},
	{name: "idempotency", test: testIdempotency},
	{name: "messages", test: testMessages},
	{name: "unread", test: testUnread},
	{name: "members", test: testMembers},
	{name: "lists", test: testLists},
	{name: "read", test: testRead},
	{name: "watch", test: testWatch},
	{name: "fence", test: testFence},
	{name: "retention by count", test: testRetentionByCount, options: Options{Retention: eventlog.Retention{
		MaxEntries: fewEntries, MinAge: time.Millisecond,
	}}},
	{name: "retention by age", test: testRetentionByAge, options: Options{Retention: eventlog.Retention{
		MaxAge: shortAge, MinAge: time.Millisecond,
	}}},
	{name: "retention by bytes", test: testRetentionByBytes, options: Options{Retention: eventlog.Retention{
		MaxBytes: fewBytes,
	}}},
	{name: "retention of the young", test: testRetentionOfTheYoung, options: Options{Retention: eventlog.Retention{
		MaxEntries: 10,
	}}},
	{name: "presence", test: testPresence},
	{name: "lease", test: testLease},
	{name: "typing", test: testTyping},
	{name: "state", test: testState},
	{name: "revocations", test: testRevocations},
	{name: "tickets", test: testTickets},
	{name: "reservations", test: testReservations},
	{name: "rates", test: testRates},
	{name: "concurrency", test: testConcurrency},
	{name: "hostile", test: testHostile},
	{name: "model", test: testModel},
	{name: "cancelled", test: testCancelled},
	{name: "closed", test: testClosed},
}

// Run runs the suite. Each call of open returns a store of the given options, empty, used by nobody
// else; the suite closes it before the test it was opened for ends.
func Run(t *testing.T, open func(t *testing.T, o Options) Store) {
	for _, c := range concerns {
		t.Run(c.name, func(t *testing.T) {
			store := open(t, c.options)
			defer func() {
				if err := store.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}()
			c.test(rig{tester: t, Store: store})
		})
	}
}
