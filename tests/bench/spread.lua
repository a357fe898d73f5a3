-- Spreads the threads of wrk over the members in BENCH_HOSTS, each with the same requests.
local hosts = {}
for host in string.gmatch(os.getenv("BENCH_HOSTS"), "[^,]+") do
  table.insert(hosts, host)
end
local number = 0

function setup(thread)
  local host, port = string.match(hosts[number % #hosts + 1], "(.+):(%d+)")
  thread.addr = wrk.lookup(host, port)[1]
  number = number + 1
end

wrk.method = os.getenv("BENCH_METHOD")
if wrk.method == "POST" then
  wrk.headers["Content-Type"] = "application/octet-stream"
  wrk.body = string.rep("x", tonumber(os.getenv("BENCH_SIZE")))
end
