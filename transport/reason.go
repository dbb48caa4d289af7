package transport

import "unicode/utf8"

// Reason says why a connection ends. As an error it is returned by [Wire.Receive].
type Reason struct {
	// Code is the WebSocket close code (RFC 6455 §7.4, graphql-transport-ws): what stock clients
	// decide by whether to come back.
	Code int
	// Text is at most 123 bytes, fit for a close frame and for the client's eyes.
	Text string
	// Retry says that the client may come back, to be served then.
	Retry bool
	// ErrorCode is the code of the GraphQL error that says the same where there are no close
	// codes; "" where nothing needs to be said.
	ErrorCode string
}

// Error returns the text.
func (r Reason) Error() string { return r.Text }

// Because returns the reason with another text, cut to what fits into a close frame.
func (r Reason) Because(text string) Reason {
	if len(text) > maxReasonText {
		text = text[:maxReasonText]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	r.Text = text
	return r
}

// maxReasonText is what a control frame has room for behind the code (RFC 6455 §5.5).
const maxReasonText = 123

// Ends that are nobody's fault, and those that the network brings.
var (
	// ReasonDone: the stream's only operation has ended.
	ReasonDone = Reason{Code: 1000, Text: "Done"}
	// ReasonGone: the peer went away without a word, or can't be written to. It is never sent.
	ReasonGone = Reason{Code: 1006, Text: "Gone", Retry: true}
	// ReasonSilent: the peer gave no sign of life.
	ReasonSilent = Reason{Code: 1001, Text: "No sign of life", Retry: true}
	// ReasonDrain: this node is about to stop, another one serves on.
	ReasonDrain = Reason{Code: 1012, Text: "Server restarts, please reconnect", Retry: true}
	// ReasonTooMany: the node, or the peer, has too many connections.
	ReasonTooMany = Reason{Code: 1013, Text: "Too many connections, please come back later", Retry: true, ErrorCode: CodeRateLimited}
	// ReasonFlood: the peer sends more than anybody has to say.
	ReasonFlood = Reason{Code: 1013, Text: "Too many messages, please slow down", Retry: true}
	// ReasonOverload: the peer reads too slowly, or the server can't keep up with it.
	ReasonOverload = Reason{Code: 1013, Text: "Too slow, please reconnect and resume", Retry: true}
)

// Breaches of RFC 6455.
var (
	// ReasonBadFrame: a frame that the RFC doesn't allow.
	ReasonBadFrame = Reason{Code: 1002, Text: "Protocol error"}
	// ReasonNotText: graphql-transport-ws knows text messages only.
	ReasonNotText = Reason{Code: 1003, Text: "Only text messages are understood"}
	// ReasonNotUTF8: a text message that isn't UTF-8.
	ReasonNotUTF8 = Reason{Code: 1007, Text: "Text isn't UTF-8"}
	// ReasonNotDeflated: a message marked as compressed that isn't (RFC 7692 §7.2.2).
	ReasonNotDeflated = Reason{Code: 1007, Text: "The message can't be decompressed"}
	// ReasonTooBig: a message above the limit.
	ReasonTooBig = Reason{Code: 1009, Text: "Message too big"}
)

// Ends that graphql-transport-ws has codes for.
var (
	// ReasonBadMessage: a message that the protocol doesn't know.
	ReasonBadMessage = Reason{Code: 4400, Text: "Invalid message"}
	// ReasonUnacknowledged: an operation before connection_ack.
	ReasonUnacknowledged = Reason{Code: 4401, Text: "Unauthorized"}
	// ReasonForbidden: the token was refused or has expired. Not 4401, which stock clients
	// take as the end.
	ReasonForbidden = Reason{Code: 4403, Text: "Forbidden", Retry: true, ErrorCode: CodeUnauthenticated}
	// ReasonExpired: the token has expired.
	ReasonExpired = ReasonForbidden.Because("The token has expired")
	// ReasonRevoked: the token was taken back.
	ReasonRevoked = ReasonForbidden.Because("The token was revoked")
	// ReasonTakenOver: the ticket that opened the stream has opened another one.
	ReasonTakenOver = Reason{Code: 4409, Text: "The ticket was opened again", ErrorCode: CodeConflict}
	// ReasonNoSubprotocol: none of the client's subprotocols is spoken here.
	ReasonNoSubprotocol = Reason{Code: 4406, Text: "Subprotocol not acceptable"}
	// ReasonInitTimeout: no connection_init in time.
	ReasonInitTimeout = Reason{Code: 4408, Text: "Connection initialisation timeout", Retry: true}
	// ReasonDuplicate: the id of an active operation was used again.
	ReasonDuplicate = Reason{Code: 4409, Text: "Subscriber already exists"}
	// ReasonTooManyInits: connection_init was sent twice.
	ReasonTooManyInits = Reason{Code: 4429, Text: "Too many initialisation requests"}
	// ReasonInternal: a fault of ours.
	ReasonInternal = Reason{Code: 4500, Text: "Internal server error", ErrorCode: CodeInternal}
)
