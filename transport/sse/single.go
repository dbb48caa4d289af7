package sse

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/reservation"
	"parley/transport"
)

// Single speaks the single connection mode of GraphQL over server-sent events: a client reserves a stream by PUT, opens
// it by GET, and runs operations by POST, whose results come over the stream; DELETE stops one. Each request may come to
// another node. Beyond that protocol, every event's id: says how far all operations have come, and Last-Event-ID
// resumes them, on whichever node.
type Single struct {
	// Service has the settings, and counts the streams.
	Service *transport.Service
	// Book has the reservations.
	Book *reservation.Book
	// Holder returns who ctx, of a connection, belongs to; false for nobody, who can't reserve anything.
	Holder func(ctx context.Context) (reservation.Holder, bool)
	// Admit returns, for a holder's viewer, a context as [transport.Options].BaseContext makes it, for a request that
	// says no more of itself. Its error is answered 401 with the error's text, or 503 if it wraps [transport.ErrTryLater].
	Admit func(r *http.Request, viewer []byte) (context.Context, error)
	// Renew has a stream go on with a newer viewer of the same user; nil for never. An error that wraps
	// [transport.ErrTryLater] has it called again.
	Renew func(c *transport.Conn, viewer []byte) error
}

var _ graphql.Transport = Single{}

// Names under which a client shows its reservation, and names an operation to stop.
const (
	tokenHeader       = "X-Graphql-Event-Stream-Token"
	tokenParameter    = "token"
	operationParam    = "operationId"
	maxOperationID    = 128
	storeTimeout      = 5 * time.Second
	mediaText         = "text/plain; charset=utf-8"
	methodsOfTheMode  = "GET, POST, PUT, DELETE"
	textNoReservation = "there is no such reservation, or none any more"
)

// Supports takes the requests of the mode: those that make or show a reservation.
func (t Single) Supports(r *http.Request) bool {
	return r.Method == http.MethodPut || r.Method == http.MethodDelete || shownToken(r) != ""
}

// shownToken returns what a request shows of a reservation, "" for nothing. In the query, where others may put tokens of
// other kinds, it must look like one.
func shownToken(r *http.Request) string {
	if token := r.Header.Get(tokenHeader); token != "" {
		return token
	}
	if !strings.Contains(r.URL.RawQuery, tokenParameter) {
		return ""
	}
	token := r.URL.Query().Get(tokenParameter)
	if _, err := reservation.IDOf(token); err != nil {
		return ""
	}
	return token
}

// Do answers the request, or leaves the stream to a [transport.Conn].
func (t Single) Do(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) {
	if r.Method == http.MethodGet && !t.Service.AdmitStream(w, r, events) || r.Method != http.MethodGet && !t.Service.Admit(w) {
		return
	}
	var refusal *transport.Refusal
	switch r.Method {
	case http.MethodPut:
		refusal = t.reserve(w, r)
	case http.MethodGet:
		refusal = t.openStream(w, r, executor)
	case http.MethodPost:
		refusal = t.operate(w, r, executor)
	case http.MethodDelete:
		refusal = t.stop(w, r)
	default:
		refusal = &transport.Refusal{Status: http.StatusMethodNotAllowed, Code: transport.CodeBadInput, Allow: methodsOfTheMode,
			Message: "a reserved stream is used by " + methodsOfTheMode}
	}
	if refusal != nil {
		refusal.Write(w)
	}
}

// reserve makes a reservation. One that is shown, as clients do that send their headers again, makes way, unless its
// stream is open.
func (t Single) reserve(w http.ResponseWriter, r *http.Request) *transport.Refusal {
	holder, known := t.Holder(t.Service.Options().BaseContext(r))
	switch {
	case !transport.ParseAccept(r.Header).PlainText():
		return refuse(http.StatusNotAcceptable, transport.CodeBadInput, "a reservation is answered as text/plain")
	case !known:
		return refuse(http.StatusUnauthorized, transport.CodeUnauthenticated, "sign in to reserve a stream")
	case !t.Service.Charge(w, r), !t.Service.Vacant(t.Service.Options().BaseContext(r), w):
		return nil
	}
	if token := shownToken(r); token != "" {
		if refusal := t.replace(r.Context(), token, holder); refusal != nil {
			return refusal
		}
	}
	token, err := t.Book.Make(r.Context(), holder)
	if err != nil {
		return t.failure(err)
	}
	w.Header().Set("Content-Type", mediaText)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(token)) // fails only when the caller has gone
	return nil
}

func (t Single) replace(ctx context.Context, token string, holder reservation.Holder) *transport.Refusal {
	old, err := t.Book.Find(ctx, token)
	if errors.Is(err, reservation.ErrNone) || err == nil && old.User != holder.User {
		return nil
	}
	alive := false
	if err == nil {
		alive, err = t.Book.Alive(ctx, old)
	}
	if err == nil && alive {
		err = reservation.ErrOpen
	}
	if err == nil {
		err = t.Book.Drop(ctx, old)
	}
	if err != nil && !errors.Is(err, reservation.ErrNone) {
		return t.failure(err)
	}
	return nil
}

// find returns the reservation that a request shows. Unless the request may come without, it must be its holder's.
func (t Single) find(r *http.Request) (*reservation.Reservation, reservation.Holder, *transport.Refusal) {
	holder, known := t.Holder(t.Service.Options().BaseContext(r))
	if !known && r.Method != http.MethodGet {
		return nil, holder, refuse(http.StatusUnauthorized, transport.CodeUnauthenticated, "sign in: a reservation alone doesn't do")
	}
	found, err := t.Book.Find(r.Context(), shownToken(r))
	switch {
	case err != nil:
		return nil, holder, t.failure(err)
	case known && found.User != holder.User:
		return nil, holder, refuse(http.StatusForbidden, transport.CodeForbidden, "this is another user's reservation")
	}
	return found, holder, nil
}

// stop ends an operation.
func (t Single) stop(w http.ResponseWriter, r *http.Request) *transport.Refusal {
	if !t.Service.Charge(w, r) {
		return nil
	}
	if shownToken(r) == "" {
		return refuse(http.StatusNotFound, transport.CodeNotFound, textNoReservation)
	}
	found, _, refusal := t.find(r)
	if refusal != nil {
		return refusal
	}
	id := r.URL.Query().Get(operationParam)
	if refusal := checkOperationID(id); refusal != nil {
		return refusal
	}
	if err := t.Book.Stop(r.Context(), found.ID, id); err != nil {
		return t.failure(err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// operate runs a query or mutation here, for it must run once, and leaves a subscription to whoever has the stream.
// What becomes of either is told over the stream.
func (t Single) operate(w http.ResponseWriter, r *http.Request, executor graphql.GraphExecutor) *transport.Refusal {
	if _, ok := transport.ParseAccept(r.Header).JSON(); !ok {
		return transport.NotAcceptable()
	}
	params, refusal := t.Service.ReadParams(w, r)
	if refusal != nil {
		return refusal
	}
	id, _ := params.Extensions[operationParam].(string)
	if refusal := checkOperationID(id); refusal != nil {
		return refusal
	}
	body, err := encodeRequest(params)
	if err != nil {
		return refuse(http.StatusBadRequest, transport.CodeBadInput, "the request can't be kept")
	}
	base := t.Service.Options().BaseContext(r)
	call, errs := t.Service.Prepare(base, executor, params)
	if refusal := transport.RefusalOf(errs); refusal != nil {
		return refusal
	}
	found, holder, refusal := t.find(r)
	if refusal != nil {
		return refusal
	}
	o := operation{Single: t, reservation: found.ID, holder: holder, id: id}
	switch {
	case errs != nil:
		err = o.refuse(r.Context(), errs)
	case call.Type() == ast.Subscription:
		err = o.follow(r.Context(), base, call, body)
	default:
		err = o.run(r.Context(), call)
	}
	switch {
	case errors.Is(err, errStopped):
		w.WriteHeader(http.StatusNoContent)
	case err != nil:
		return t.failure(err)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
	return nil
}

func checkOperationID(id string) *transport.Refusal {
	switch {
	case id == "":
		return refuse(http.StatusBadRequest, transport.CodeBadInput, "an operationId is missing: a string that names the operation on the stream")
	case len(id) > maxOperationID:
		return refuse(http.StatusBadRequest, transport.CodeBadInput, "the operationId is too long")
	}
	return nil
}

// operation is one that was asked for.
type operation struct {
	Single
	reservation string
	holder      reservation.Holder
	id          string
}

// errStopped: its client stopped the operation before it was done.
var errStopped = errors.New("sse: stopped")

// refuse has an operation that isn't executed end with errors.
func (o operation) refuse(ctx context.Context, errs gqlerror.List) error {
	payload := transport.EncodeResponse(&graphql.Response{Errors: errs})
	return o.Book.Answer(ctx, o.reservation, o.holder, reservation.Answer{ID: o.id, Payload: payload})
}

// follow opens a subscription to see that it may be, and from where, and notes that for the owner of the stream.
func (o operation) follow(ctx, base context.Context, call *transport.Call, body []byte) error {
	opening, cancel := context.WithCancel(base)
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	opened, errs := call.Open(opening)
	if errs != nil {
		return o.refuse(ctx, errs)
	}
	request := reservation.Request{ID: o.id, Body: body}
	if opened.Spec.State == nil {
		request.Start = opened.Spec.Start
	}
	_, err := o.Book.Begin(ctx, o.reservation, o.holder, request)
	return o.unlessTooMuch(ctx, err)
}

// run executes a query or mutation. Its answer is kept until the client has it.
func (o operation) run(ctx context.Context, call *transport.Call) error {
	number, err := o.Book.Begin(ctx, o.reservation, o.holder, reservation.Request{ID: o.id, Once: true})
	if err != nil {
		return o.unlessTooMuch(ctx, err)
	}
	payload := transport.EncodeResponse(call.Run(ctx))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout) // it has run, whoever waits for it
	defer cancel()
	err = o.Book.Answer(ctx, o.reservation, o.holder, reservation.Answer{ID: o.id, Number: number, Payload: payload})
	if errors.Is(err, reservation.ErrNone) {
		return errStopped
	}
	return err
}

// unlessTooMuch has what goes beyond a limit end with an error over the stream, as on other transports.
func (o operation) unlessTooMuch(ctx context.Context, err error) error {
	if !errors.Is(err, reservation.ErrTooMany) && !errors.Is(err, reservation.ErrTooBig) {
		return err
	}
	return o.refuse(ctx, gqlerror.List{{Message: err.Error(), Extensions: map[string]any{"code": transport.CodeLimitExceeded}}})
}

func refuse(status int, code, message string) *transport.Refusal {
	return &transport.Refusal{Status: status, Code: code, Message: message}
}

// failure is the refusal that tells of an error of the book.
func (t Single) failure(err error) *transport.Refusal {
	switch {
	case errors.Is(err, reservation.ErrNone):
		return refuse(http.StatusNotFound, transport.CodeNotFound, textNoReservation)
	case errors.Is(err, reservation.ErrTooLate):
		return refuse(http.StatusNotFound, transport.CodeNotFound, err.Error())
	case errors.Is(err, reservation.ErrOpen), errors.Is(err, reservation.ErrActive):
		return refuse(http.StatusConflict, transport.CodeConflict, err.Error())
	case errors.Is(err, reservation.ErrBadProgress):
		return refuse(http.StatusBadRequest, transport.CodeBadInput, err.Error())
	case errors.Is(err, reservation.ErrUnread):
		return &transport.Refusal{Status: http.StatusTooManyRequests, Code: transport.CodeRateLimited, Message: err.Error(), RetryAfter: 1}
	}
	t.Service.Options().Log.Warn("a reservation can't be read or changed", "error", err)
	return &transport.Refusal{Status: http.StatusServiceUnavailable, Code: transport.CodeUnavailable,
		Message: "reservations can't be read or changed now, please try again", RetryAfter: 1}
}
