// Package sqlite is the embedded storage engine: one process, one file in a data folder, nothing
// to install. It implements chat.Store, eventlog.Log, eventlog.State and presence.Store.
//
// One goroutine, the writer, owns the one connection that writes. It takes the steps waiting for
// it, runs each under a savepoint of its own and commits them together: nobody waits for company
// when the store is idle, and under load a commit is shared. Only after COMMIT are callers
// answered and publications handed to the bus, in the order of the logs; a COMMIT that fails fails
// all of its group, with Unavailable. Readers are up to four connections on the last commit.
//
// With Synchronous NORMAL a death of the process loses nothing that was acknowledged, a power loss
// may lose the last moments (never the middle of a log); FULL survives that too.
//
// Watches are served by a bus inside the process, from a goroutine of its own. It loses nothing, so
// that a watcher never hears Look; a watcher that blocks ends up blocking the writer.
package sqlite
