package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	// maxReaders is the number of connections that read.
	maxReaders = 4
	// callTimeout bounds every call, waiting included.
	callTimeout = 5 * time.Second
)

// readers is the pool of connections that read.
type readers struct {
	free   chan *conn
	closed chan struct{}
	// queue bounds the calls that wait for a connection; waiting counts them, shed those refused.
	queue         int64
	waiting, shed atomic.Int64
}

func openReaders(ctx context.Context, path string, queue int) (*readers, error) {
	p := &readers{free: make(chan *conn, maxReaders), closed: make(chan struct{}), queue: int64(queue)}
	for range maxReaders {
		c, err := openReader(ctx, path)
		if err != nil {
			return nil, errors.Join(err, p.closeFree())
		}
		p.free <- c
	}
	return p, nil
}

func (p *readers) take(ctx context.Context) (*conn, error) {
	select {
	case <-p.closed:
		return nil, errClosed
	case c := <-p.free:
		return c, nil
	default:
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > p.queue {
		p.shed.Add(1)
		return nil, errBusy
	}
	select {
	case c := <-p.free:
		return c, nil
	case <-p.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

// close waits for the reads under way.
func (p *readers) close() error {
	close(p.closed)
	var errs []error
	for range maxReaders {
		errs = append(errs, (<-p.free).close())
	}
	return errors.Join(errs...)
}

func (p *readers) closeFree() error {
	var errs []error
	for len(p.free) > 0 {
		errs = append(errs, (<-p.free).close())
	}
	return errors.Join(errs...)
}

// read runs one atomic read: everything that do reads is of one moment.
func read[T any](ctx context.Context, s *Store, do func(context.Context, *conn) (T, error)) (T, error) {
	var none T
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	c, err := s.readers.take(ctx)
	if err != nil {
		return none, err
	}
	defer func() { s.readers.free <- c }()
	// A context must not leave it open whether the transaction has begun or ended.
	whole := context.WithoutCancel(ctx)
	if _, err := c.exec(whole, `BEGIN`); err != nil {
		return none, err
	}
	result, err := do(ctx, c)
	if _, endErr := c.exec(whole, `COMMIT`); err == nil {
		err = endErr
	}
	if err != nil {
		return none, err
	}
	return result, nil
}
