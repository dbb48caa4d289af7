// Bare is the limit: what is published to a room is written to each of its followers, and nothing else.
//
//	bare ADDR ONCE
//
// ONCE is how many waiting messages one write may carry, 1 to 16. A client's first line is "follow ROOM" or
// "publish"; a publisher's messages are a line "ROOM LENGTH" and so many bytes, and are not acknowledged.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
)

type rooms struct {
	once int
	mu   sync.Mutex
	all  map[string][]*follower
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
	r := &rooms{once: once, all: map[string][]*follower{}}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go r.serve(conn)
	}
}

func (r *rooms) serve(conn net.Conn) {
	in := bufio.NewReaderSize(conn, 1<<10)
	var verb, room string
	if _, err := fmt.Fscanln(in, &verb, &room); verb == "follow" && err == nil {
		r.follow(conn, room)
		return
	}
	for {
		var size int
		if _, err := fmt.Fscanln(in, &room, &size); err != nil {
			return
		}
		message := make([]byte, size)
		if _, err := io.ReadFull(in, message); err != nil {
			return
		}
		r.publish(room, message)
	}
}

func (r *rooms) follow(conn net.Conn, room string) {
	f := &follower{conn: conn}
	if r.once > 1 {
		f.waiting = make(chan []byte, 1024)
		go f.write(r.once)
	}
	r.mu.Lock()
	r.all[room] = append(r.all[room], f)
	r.mu.Unlock()
	_, _ = conn.Write([]byte("ok\n")) // whoever has gone is noticed by the next write
}

func (r *rooms) publish(room string, message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.all[room] {
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
