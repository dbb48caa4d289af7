// Bare is the limit: what is published to a room is written to each of its followers, and nothing else.
//
//	bare ADDR ONCE
//
// ONCE is how many waiting messages one write may carry. A client's first line is "follow ROOM…" or "publish"; a
// publisher's messages are a line "ROOM LENGTH" and so many bytes, and are not acknowledged.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
)

type rooms struct {
	once int
	mu   sync.Mutex
	all  map[string]*room
}

type room struct {
	mu        sync.Mutex
	followers []*follower
}

type follower struct {
	conn    net.Conn
	waiting chan []byte
}

func main() {
	once, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	r := &rooms{once: once, all: map[string]*room{}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go r.serve(conn)
	}
}

// serve reads the first line byte by byte, so that a follower is left without a buffer.
func (r *rooms) serve(conn net.Conn) {
	var line []byte
	for one := make([]byte, 1); ; line = append(line, one[0]) {
		if _, err := conn.Read(one); err != nil {
			return
		}
		if one[0] == '\n' {
			break
		}
	}
	if names := strings.Fields(string(line)); len(names) > 1 && names[0] == "follow" {
		r.follow(conn, names[1:])
		return
	}
	r.read(bufio.NewReader(conn))
}

// read takes a publisher's messages.
func (r *rooms) read(in *bufio.Reader) {
	for {
		var name string
		var size int
		if _, err := fmt.Fscanln(in, &name, &size); err != nil {
			return
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		r.room(name).publish(message)
	}
}

func (r *rooms) room(name string) *room {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all[name] == nil {
		r.all[name] = &room{}
	}
	return r.all[name]
}

func (r *rooms) follow(conn net.Conn, names []string) {
	f := &follower{conn: conn}
	if r.once > 1 {
		f.waiting = make(chan []byte, 1024)
		go f.write(r.once)
	}
	for _, name := range names {
		r.room(name).join(f)
	}
	_, _ = conn.Write([]byte("ok\n")) // whoever has gone is noticed by the next write
	_, _ = conn.Read(make([]byte, 1)) // a goroutine for each connection, as every server needs one to hear of its end
}

func (r *room) join(f *follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.followers = append(r.followers, f)
}

func (r *room) publish(message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.followers {
		if f.waiting != nil {
			f.waiting <- message
		} else {
			_, _ = f.conn.Write(message)
		}
	}
}

// write puts up to so many waiting messages into one write.
func (f *follower) write(once int) {
	var buf []byte
	for message := range f.waiting {
		buf = append(buf[:0], message...)
		for n := 1; n < once && len(f.waiting) > 0; n++ {
			buf = append(buf, <-f.waiting...)
		}
		if _, err := f.conn.Write(buf); err != nil {
			return
		}
	}
}
