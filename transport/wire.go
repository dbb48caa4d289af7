package transport

import (
	"bufio"
	"context"
	"net"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
)

// Wire is a wire protocol as one connection speaks it. Apart from Receive, which a connection calls
// from one goroutine at a time, its methods are safe for concurrent use; what they return isn't
// changed afterwards. Frames returned as nil aren't sent.
type Wire interface {
	// Receive reads one message of the peer and handles it, waiting for nothing but its bytes, or else
	// no longer than the connection's context lasts.
	// A [Reason] as error means that nothing after it can be understood; any other error is the
	// network's. While the connection closes it only looks for the peer's farewell, which is io.EOF.
	Receive(c *Conn, in *bufio.Reader) error

	// Framing returns how events of an operation are framed, and what follows the shared bytes.
	Framing(id string) (framing delivery.Framing, suffix []byte)
	// Position tells where a subscription stands, without an event.
	Position(id, cursor string) []byte
	// Result is the response of a query or mutation, and its end.
	Result(id string, response *graphql.Response) []byte
	// Errors ends an operation.
	Errors(id string, errors gqlerror.List) []byte
	// Complete ends a subscription.
	Complete(id string) []byte
	// Heartbeat is a sign of life.
	Heartbeat() []byte
	// Farewell is the last that the connection sends.
	Farewell(reason Reason) []byte
}

// Stamping is a Wire whose frames of operations are completed as they leave, when it is known what the client has
// got by then. Its framings have no suffix.
type Stamping interface {
	Wire
	// Stamp returns, for an operation that is about to begin, what appends to dst the bytes that a frame becomes. It is
	// called in the order in which frames leave, and must not block.
	Stamp(id string) func(dst, frame []byte) []byte
}

// Link is a socket on its way from the HTTP server to a connection. It must not refer to the
// request, which would stay in memory as long as the connection.
type Link struct {
	// Protocol labels the metrics.
	Protocol string
	Socket   net.Conn
	// Early are the bytes that came with the request; the connection reads them first.
	Early []byte
	// Greeting is sent before anything else.
	Greeting []byte
	// Context carries what operations of the connection may know, its viewer above all. That it ends, ends nothing.
	Context context.Context
	// Executor runs the operations.
	Executor graphql.GraphExecutor
	Wire     Wire
	// Silence is for how long the peer may send nothing; 0 for ever.
	Silence time.Duration
	// Single says that the connection ends with its operation.
	Single bool
	// Ended is called when everything else of the connection has ended; nil for nobody.
	Ended func(Reason)
}
