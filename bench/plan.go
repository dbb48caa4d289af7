package main

// plan says who follows what: rooms of so many followers each, spread over so many connections.
type plan struct {
	rooms, followers, connections int
	// receive is the followers' SO_RCVBUF; 0 leaves it to the system.
	receive int
}

// inRooms is a plan of rooms with so many followers each. Up to 10,000 of them have a connection of their own;
// beyond, each follows several rooms.
func inRooms(rooms, followers int) plan {
	return plan{rooms: rooms, followers: followers, connections: min(rooms*followers, 10_000)}
}

func (p plan) subscriptions() int { return p.rooms * p.followers }

// roomsOf are the rooms that a connection follows.
func (p plan) roomsOf(connection int) []int {
	var rooms []int
	for s := connection; s < p.subscriptions(); s += p.connections {
		rooms = append(rooms, s/p.followers)
	}
	return rooms
}

// connectionsOf are the connections that follow a room.
func (p plan) connectionsOf(room int) []int {
	var connections []int
	for s := room * p.followers; s < (room+1)*p.followers; s++ {
		connections = append(connections, s%p.connections)
	}
	return connections
}
