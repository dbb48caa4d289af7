package transport

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/delivery"
	"parley/ratelimit"
	"parley/render"
)

// operation is one operation of a connection's client, from its request until its end has left
// the outbox, or the client doesn't want it any more.
type operation struct {
	conn *Conn
	id   string
	lane *delivery.Lane
	// end takes the end of a subscription that is carried (carry.go), in place of the client; nil else.
	end func(gqlerror.List)

	// guarded by conn.mu
	cancel     context.CancelFunc // ends what it runs in; nil once it has run, or follows
	state      operationState
	subscriber *delivery.Subscriber
}

type operationState uint8

const (
	operationRuns operationState = iota
	// operationAnswered: its end is in the outbox, or has left it.
	operationAnswered
	// operationStopped: by the client, or by the connection's end.
	operationStopped
)

// Start runs an operation, in a goroutine of its own. An id in use ends the connection; one
// operation too many is answered with an error.
func (c *Conn) Start(id string, params *graphql.RawParams) {
	o, ctx := c.begin(id)
	if o == nil {
		return
	}
	started := c.crew.Work(&c.service.workers, func() {
		defer c.recoverFault()
		defer o.hasRun()
		o.run(ctx, params)
	})
	if !started {
		o.hasRun()
	}
}

// hasRun gives up what the operation ran in: one that follows needs nothing of it.
func (o *operation) hasRun() {
	o.conn.mu.Lock()
	cancel := o.cancel
	o.cancel = nil
	o.conn.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Follow serves a subscription that has been opened.
func (c *Conn) Follow(id string, opened *render.Opened) {
	c.crew.Do(func() {
		if o, _ := c.begin(id); o != nil {
			o.hasRun()
			o.follow(opened)
		}
	})
}

// begin registers an operation and returns what it runs in; nil if it can't be.
func (c *Conn) begin(id string) (*operation, context.Context) {
	o, ctx, err := c.register(id)
	switch {
	case errors.Is(err, errDuplicate):
		c.Close(ReasonDuplicate.Because(fmt.Sprintf("Subscriber for %s already exists", id)))
	case errors.Is(err, errTooMany):
		c.Send(c.wire.Errors(id, errorList(CodeLimitExceeded, err.Error())))
	case err != nil:
		if wait, ok := ratelimit.RetryAfter(c.service.options.Refusals.Count(err)); ok {
			c.Send(c.wire.Errors(id, tooOften(wait)))
		}
	}
	return o, ctx
}

var (
	errClosing   = errors.New("the connection closes")
	errDuplicate = errors.New("an operation with this id is active")
	errTooMany   = errors.New("too many operations on this connection")
)

func (c *Conn) register(id string) (*operation, context.Context, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.operations.get(id)
	switch {
	case c.closing:
		return nil, nil, errClosing
	case known != nil && known.state == operationRuns:
		return nil, nil, errDuplicate
	case int(c.active) >= c.service.options.MaxOperations:
		return nil, nil, errTooMany
	}
	cost := ratelimit.Cost{Name: "operations_connection", Limit: c.service.options.Operations}
	if err := c.starts.Take(time.Now(), cost); err != nil {
		return nil, nil, err
	}
	if known != nil {
		c.answered.Add(-1)
	}
	o, ctx := c.place(id)
	return o, ctx, nil
}

// place makes room for an operation.
func (c *Conn) place(id string) (*operation, context.Context) {
	o := &operation{conn: c, id: id}
	o.lane = c.outbox.NewLane(c.wire.Framing(id))
	if wire, ok := c.wire.(Stamping); ok {
		o.lane.Stamp(wire.Stamp(id))
	}
	// It ends with the connection all the same: by stopOperations, and at less cost while it follows.
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.ctx))
	o.cancel = cancel
	c.operations.put(o)
	c.active++
	return o, ctx
}

// Stop ends an operation by the client's wish: nothing of it is sent any more, and the id is free.
// An unknown id is nobody's fault.
func (c *Conn) Stop(id string) {
	c.mu.Lock()
	o := c.operations.get(id)
	if o == nil {
		c.mu.Unlock()
		return
	}
	c.operations.remove(o)
	c.dismiss(o)
	c.mu.Unlock()
	o.release()
}

// finishOperations waits until all that run have their answers, or follow what they subscribe to. It takes no longer than
// closing may, which then has as long again.
func (c *Conn) finishOperations() {
	var running sync.WaitGroup
	c.mu.Lock()
	for o := range c.operations.all() {
		if cancel := o.cancel; cancel != nil {
			running.Add(1)
			o.cancel = func() { cancel(); running.Done() }
		}
	}
	c.mu.Unlock()
	finished := make(chan struct{})
	go func() { running.Wait(); close(finished) }() // at the latest when the operations are stopped
	patience := time.NewTimer(c.service.options.CloseTimeout)
	defer patience.Stop()
	select {
	case <-finished:
	case <-patience.C:
	}
	c.mu.Lock()
	c.closeBy = time.Now().Add(c.service.options.CloseTimeout)
	c.mu.Unlock()
}

// stopOperations ends all that run. What others have left to say is still sent.
func (c *Conn) stopOperations() {
	for _, o := range c.running() {
		c.Stop(o.id)
	}
}

// dismiss marks an operation stopped.
func (c *Conn) dismiss(o *operation) {
	if o.state == operationRuns {
		c.active--
	} else {
		c.answered.Add(-1)
	}
	o.state = operationStopped
}

// release gives up what a stopped operation holds.
func (o *operation) release() {
	o.hasRun()
	o.lane.Close()
	o.conn.mu.Lock()
	subscriber := o.subscriber
	o.conn.mu.Unlock()
	if subscriber != nil {
		subscriber.Close()
	}
}

// running returns the operations that run.
func (c *Conn) running() []*operation {
	c.mu.Lock()
	defer c.mu.Unlock()
	running := make([]*operation, 0, c.active)
	for o := range c.operations.all() {
		if o.state == operationRuns {
			running = append(running, o)
		}
	}
	return running
}

func (o *operation) run(ctx context.Context, params *graphql.RawParams) {
	c := o.conn
	call, errs := c.service.Prepare(ctx, c.executor, params)
	if errs != nil {
		o.answer(c.wire.Errors(o.id, errs))
		return
	}
	if call.Type() != ast.Subscription {
		o.answer(c.wire.Result(o.id, call.Run(ctx)))
		c.boundAnswers()
		return
	}
	o.open(ctx, call)
}

// open opens a subscription and follows it.
func (o *operation) open(ctx context.Context, call *Call) {
	opened, errs := call.Open(ctx)
	if errs != nil {
		o.finish(errs)
		return
	}
	o.follow(opened)
}

// answer sends the end of the operation, unless the client doesn't want it any more.
func (o *operation) answer(frame []byte) {
	c := o.conn
	c.mu.Lock()
	if o.state != operationRuns {
		c.mu.Unlock()
		return
	}
	o.state = operationAnswered
	c.active--
	c.answered.Add(1)
	kick := o.lane.PutControl(frame) // before another flush can find it answered
	c.mu.Unlock()
	if kick {
		o.lane.Flush()
	}
}

// boundAnswers closes the connection of a client that asks, and doesn't read the answers.
func (c *Conn) boundAnswers() {
	if options := c.service.options; c.outbox.Waiting() > options.HighWater+options.MaxAnswers {
		c.Close(ReasonOverload)
	}
}

// follow tells where the subscription starts and has the hub serve it.
func (o *operation) follow(opened *render.Opened) {
	c := o.conn
	if opened.Spec.State == nil {
		o.tellStart(&opened.Spec)
	}
	subscriber, err := c.service.options.Hub.Subscribe(delivery.Subscription{
		Spec: opened.Spec, Sharing: opened.Sharing, Share: opened.Share, Personal: opened.Personal,
		Lane: o.lane, Done: o.ended,
	})
	if err != nil {
		o.finish(errorList(CodeUnavailable, "this node is about to stop, please try again"))
		return
	}
	c.mu.Lock()
	o.subscriber = subscriber
	stopped := o.state == operationStopped
	c.mu.Unlock()
	if stopped {
		subscriber.Close()
	}
}

// tellStart tells from where the subscription goes on, before anything else of it.
func (o *operation) tellStart(spec *delivery.Spec) {
	start := spec.Start
	frame := o.conn.wire.Position(o.id, start.String())
	if start.Position.Offset == 0 {
		o.lane.Control(frame) // it advances nothing
	} else {
		o.lane.Advance(start, frame)
	}
}

// ended takes the hub's end of the subscription; it doesn't block.
func (o *operation) ended(err error) {
	o.conn.Go(func() {
		if err == nil {
			o.finish(nil)
			return
		}
		o.finish(o.conn.present(err))
	})
}

func (o *operation) runs() bool {
	o.conn.mu.Lock()
	defer o.conn.mu.Unlock()
	return o.state == operationRuns
}

// finish ends a subscription; no errors mean a plain end.
func (o *operation) finish(errs gqlerror.List) {
	wire := o.conn.wire
	switch {
	case o.end != nil && o.runs():
		o.end(errs)
	case o.end != nil: // the client doesn't want it any more
	case errs == nil:
		o.answer(wire.Complete(o.id))
	default:
		o.answer(wire.Errors(o.id, errs))
	}
}

// present makes GraphQL errors of an error that isn't one, as the executor's presenter sees fit.
func (c *Conn) present(err error) gqlerror.List {
	return dispatchErrors(c.Context(), c.executor, &graphql.OperationContext{}, gqlerror.List{
		{Err: err, Message: err.Error()},
	})
}

// tellPosition tells where the subscription stands, if that isn't known from its events.
func (o *operation) tellPosition() {
	o.conn.mu.Lock()
	subscriber := o.subscriber
	o.conn.mu.Unlock()
	if subscriber == nil {
		return
	}
	if cursor, moved := subscriber.Moved(); moved {
		o.lane.Advance(cursor, o.conn.wire.Position(o.id, cursor.String()))
	}
}
