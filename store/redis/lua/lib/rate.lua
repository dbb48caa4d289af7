-- A rate is a key that holds one instant, its theoretical arrival time, in microseconds; see
-- ratelimit/gcra.go. The key expires when the rate is as good as unused.

-- micros is the server's clock in unix microseconds.
local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

-- pay charges all costs, {{spacing, depth, times}, …}, to the rates at keys[first], keys[first + 1], …
-- Where one isn't covered it charges none, and returns the index of the cost that takes longest to
-- be, and for how many microseconds.
local function pay(keys, first, costs, at)
  local after, longest, which = {}, 0, nil
  for i, cost in ipairs(costs) do
    local spacing, depth, times = cost[1], cost[2], cost[3]
    local tat = tonumber(redis.call('GET', keys[first + i - 1]) or 0)
    if tat < at or tat > at + 2 * depth then
      tat = at
    end
    after[i] = tat + math.min(spacing * times, depth)
    local wait = after[i] - depth - at
    if wait > longest then
      longest, which = wait, i
    end
  end
  if which then
    return which, longest
  end
  for i, tat in ipairs(after) do
    redis.call('SET', keys[first + i - 1], string.format('%.0f', tat), 'PX', math.ceil((tat - at) / 1000))
  end
end
