"""Files as release 0.1.0 left them in flash, byte by byte: settlement o0 acknowledged, o1 waiting, order o2
running on connector 1 in its second price step, a fault on connector 2."""

FILES = {
    "acked": (b"1 0757d99fca80d543a0727a539d90ad4694a2fea0b123925746d1ee3a3040d139\n1127de24"),
    "check-1": (b"o2 1800000015 5027000 -\n187c5a40"),
    "faults": (b'[[2, "GroundFailure", 1800000004]]\nd06ddf6f'),
    "order-1": (
        b'o2 1800000004 5005000\n{"kind":"order","device_id":"pile-0001","connector":1,'
        b'"order_id":"o2","issued_at":1800000000,"expires_at":1800000060,'
        b'"limits":{"duration_s":3600},"rate":{"rate_id":"r1","currency":"CNY","minor_digits":2,'
        b'"session_fee_minor":0,"steps":[[1799999940,1000000,0,"valley"],[1800000005,9000000,0,'
        b'"peak"]],"until_at":1800172800},'
        b'"mac":"945d5fcf8e0935a200f5cc85d40dedd49758449ef38e70f66b4c45003e87dbfb"}\n0597450a'
    ),
    "out-00000001": (
        b'\n3e8b3db3 {"kind":"settlement","device_id":"pile-0001","connector":1,"order_id":"o0",'
        b'"seq":1,"prev_mac":null,"rate_id":"r1",'
        b'"rate_digest":"e197e29dbe36155b8a29ecfea6d823391e3a2f400f82dccfa20cce71594f4938",'
        b'"start_register_mwh":5000000,"end_register_mwh":5004000,"energy_mwh":4000,'
        b'"started_at":1800000000,"ended_at":1800000002,"periods":[[1799996400,1000000,800000,'
        b'"flat",4000,1,0]],"session_fee_minor":0,"currency":"CNY","minor_digits":2,"total_minor":1,'
        b'"stop_reason":"Remote","firmware":"test","recovered":false,'
        b'"mac":"0757d99fca80d543a0727a539d90ad4694a2fea0b123925746d1ee3a3040d139"}\n\n'
        b'4e7bc68a {"kind":"settlement","device_id":"pile-0001","connector":1,"order_id":"o1",'
        b'"seq":2,"prev_mac":"0757d99fca80d543a0727a539d90ad4694a2fea0b123925746d1ee3a3040d139",'
        b'"rate_id":"r1",'
        b'"rate_digest":"e197e29dbe36155b8a29ecfea6d823391e3a2f400f82dccfa20cce71594f4938",'
        b'"start_register_mwh":5004000,"end_register_mwh":5005000,"energy_mwh":1000,'
        b'"started_at":1800000003,"ended_at":1800000003,"periods":[[1799996400,1000000,800000,'
        b'"flat",1000,0,0]],"session_fee_minor":0,"currency":"CNY","minor_digits":2,"total_minor":0,'
        b'"stop_reason":"Remote","firmware":"test","recovered":false,'
        b'"mac":"3505e2a70f8db95001d9f3d8ab919da970077491eb12d7f0c263da8828f7036f"}\n'
    ),
    "steps-1": (b"[[0, 5005000], [1, 5006800]]\na4128efb"),
    "used": (b'[["o0", 1800000060], ["o1", 1800000060], ["o2", 1800000060]]\nb56da58e'),
}
