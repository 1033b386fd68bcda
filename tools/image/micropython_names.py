"""Names that MicroPython has in its flash, for tools/image/bundle.py."""

# Source: dir() of every built-in module and type of MicroPython 1.25 (unix port) and of the frozen asyncio,
# without those that only the unix port has. Every port has the names of its modules in flash (py/qstr.c, the
# constant pool). The list has not been compared with an ESP32's image. A name that is missing there is stored
# in the heap when the bundle is loaded, at 7 bytes plus its characters; the firmware works all the same. An
# attribute with a name of the list may be MicroPython's own, so bundle.py never renames it. `const` is
# left out, because mpy-cross takes a call of it for a constant.
IN_FLASH = """
AF_INET ARRAY AUTO ArithmeticError AssertionError AttributeError BFINT16 BFINT32 BFINT8 BFUINT16 BFUINT32
BFUINT8 BF_LEN BF_POS BIG_ENDIAN BaseException BytesIO CERT_NONE CERT_OPTIONAL CERT_REQUIRED
CancelledError DeflateIO EACCES EADDRINUSE EAGAIN EALREADY EBADF ECONNABORTED ECONNREFUSED ECONNRESET
EEXIST EHOSTUNREACH EINPROGRESS EINVAL EIO EISDIR ENOBUFS ENODEV ENOENT ENOMEM ENOTCONN EOFError
EOPNOTSUPP EPERM ETIMEDOUT Ellipsis Event Exception FLOAT32 FLOAT64 GZIP GeneratorExit INT INT16 INT32
INT64 INT8 IOBase IOQueue ImportError IndentationError IndexError KeyError KeyboardInterrupt LITTLE_ENDIAN
LONG LONGLONG Lock LookupError Loop MSG_DONTWAIT MemoryError NATIVE NameError NotImplemented
NotImplementedError OSError OrderedDict OverflowError POLLERR POLLHUP POLLIN POLLOUT PROTOCOL_TLS_CLIENT
PROTOCOL_TLS_SERVER PTR RAW RuntimeError SHORT SOCK_DGRAM SOCK_RAW SOCK_STREAM SOL_SOCKET SO_BROADCAST
SO_ERROR SO_KEEPALIVE SO_LINGER SO_REUSEADDR SSLContext Server Signal SingletonGenerator
StopAsyncIteration StopIteration Stream StreamReader StreamWriter StringIO SyntaxError SystemExit Task
TaskQueue ThreadSafeFlag TimeoutError TypeError UINT UINT16 UINT32 UINT64 UINT8 ULONG ULONGLONG USHORT
UnicodeError VOID ValueError VfsFat VfsLfs2 VfsRom ViperTypeError ZLIB ZeroDivisionError _Remove _attrs
_build _dequeue _enqueue _exc_context _exc_handler _io_queue _machine _mpy _promote_to_task _run
_stop_task _stopper _task_queue a2b_base64 abs accept aclose acos acosh acquire add addressof aes all any
append appendleft argv array asin asinh asyncio atan atan2 atanh awrite awritestr b2a_base64 bin binascii
bind bool buffer bytearray bytearray_at byteorder bytes bytes_at calcsize call_exception_handler callable
ceil center chdir choice chr classmethod clear clock close cmath collect collections compile complex
connect copy copysign core cos cosh count crc32 create_task cryptolib cur_task current_task decode
decrypt default_exception_handler deflate degrees delattr deque dict difference difference_update digest
dir disable discard divmod drain dump dumps e enable encode encrypt endswith enumerate erf erfc errno
errorcode eval event exec exit exp expm1 extend fabs factorial fileno filter find float floor flush fmod
format frexp from_bytes fromhex fromkeys frozenset gamma gather gc get get_ciphers get_event_loop
get_exception_handler get_extra_info getaddrinfo getattr getcwd getrandbits getvalue globals gmtime
hasattr hash hashlib heap_lock heap_unlock heapify heappop heappush heapq help hex hexlify id idle
ilistdir implementation index inf input insert int intersection intersection_update io ioctl is_set
isalpha isclose isdigit isdisjoint isenabled isfinite isinf isinstance islower isnan isspace issubclass
issubset issuperset isupper items iter join json kbd_intr keys ldexp len lgamma list listdir listen load
load_cert_chain load_verify_locations loads locals localtime locked log log10 log2 lower lstrip machine
makefile map match math max maxsize md5 mem16 mem32 mem8 mem_alloc mem_free mem_info memoryview
micropython min mkdir mkfs mktime modf modules mount name namedtuple nan new_event_loop next object oct
off on open open_connection opt_level ord os pack pack_into partition path peek pend_throw phase pi
platform polar poll pop popitem popleft pow print print_exception property push qstr_info queue_read
queue_write radians randint random randrange range re read readexactly readinto readline readlines rect
recv recvfrom release remove rename replace repr reverse reversed rfind rindex rmdir round rpartition
rsplit rstrip run run_forever run_until_complete schedule search seed seek select send sendto sep set
set_ciphers set_exception_handler setattr setblocking setdefault setsockopt settimeout sha1 sha256 sin
sinh sizeof sleep sleep_ms sleep_us slice socket soft_reset sort sorted split splitlines sqrt stack_use
start_server startswith stat staticmethod statvfs stderr stdin stdout stop str stream stream_awrite strip
struct sub sum super symmetric_difference symmetric_difference_update sys tan tanh tau tell threshold
throw ticks ticks_add ticks_cpu ticks_diff ticks_ms ticks_us time time_ns time_pulse_us tls to_bytes trunc
tuple type uctypes umount unhexlify uniform union unlink unpack unpack_from update upper urandom value
values version version_info vfs wait wait_closed wait_for wait_for_ms wait_io_event wrap_socket write zip
"""

# Attributes of a chip's own modules machine, network, esp32 and neopixel. Source: their documentation.
ON_CHIP = """
ADC ADCBlock ATTN_0DB ATTN_11DB ATTN_2_5DB ATTN_6DB CAN Counter DAC Encoder I2C I2CTarget I2S IN
IRQ_FALLING IRQ_RISING NVS NeoPixel ONE_SHOT OPEN_DRAIN OUT PERIODIC PPP PULL_DOWN PULL_UP PWM Partition Pin
RMT RTC SPI Signal SoftI2C SoftSPI Timer UART ULP WDT WLAN active alarm any atten bitstream block callback
cancel commit config connected cycles datetime deepsleep deinit disable_irq disconnect drive duty duty_ns
duty_u16 enable_irq erase_key feed fill freq get_blob get_i32 get_next_update hostname hold idf_heap_info
ifconfig info init invert ioctl ipconfig irq isconnected lightsleep loop mark_app_valid_cancel_rollback
memory mode off on phy_mode pull raw_temperature read_timed read_u16 read_uv readblocks readfrom
readfrom_into readfrom_mem readfrom_mem_into readinto remaining reset reset_cause scan sendbreak set_blob
set_boot set_i32 shift sleep start status stop txdone unique_id value wait_done wake_on_ext0 wake_on_ext1
wake_on_gpio wake_on_touch wake_on_ulp wake_reason width write write_pulses write_readinto writeblocks
writeto writeto_mem writevto
"""
