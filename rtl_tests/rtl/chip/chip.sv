// The chip as far as there is RTL of it: the control path, and the encode core in a clock of its own, which fetches job blocks
// and refuses what it cannot do. What joins the two, and the network to memory, is the bench's (rtl_tests/chip/).

`default_nettype none

module chip (
    input  wire logic                  clk,
    input  wire logic                  rst_n,
    // host registers, AXI4-Lite
    input  wire logic                  s_axil_awvalid,
    output      logic                  s_axil_awready,
    input  wire logic [11:0]           s_axil_awaddr,
    input  wire logic                  s_axil_wvalid,
    output      logic                  s_axil_wready,
    input  wire logic [31:0]           s_axil_wdata,
    input  wire logic [3:0]            s_axil_wstrb,
    output      logic                  s_axil_bvalid,
    input  wire logic                  s_axil_bready,
    output      logic [1:0]            s_axil_bresp,
    input  wire logic                  s_axil_arvalid,
    output      logic                  s_axil_arready,
    input  wire logic [11:0]           s_axil_araddr,
    output      logic                  s_axil_rvalid,
    input  wire logic                  s_axil_rready,
    output      logic [31:0]           s_axil_rdata,
    output      logic [1:0]            s_axil_rresp,
    output      logic                  event_o,            // the host's event line
    // mover, AXI4
    output      logic                  m_axi_awid,
    output      logic [39:0]  m_axi_awaddr,
    output      logic [7:0]            m_axi_awlen,
    output      logic [2:0]            m_axi_awsize,
    output      logic [1:0]            m_axi_awburst,
    output      logic                  m_axi_awvalid,
    input  wire logic                  m_axi_awready,
    output      logic [31:0]           m_axi_wdata,
    output      logic [3:0]            m_axi_wstrb,
    output      logic                  m_axi_wlast,
    output      logic                  m_axi_wvalid,
    input  wire logic                  m_axi_wready,
    input  wire logic                  m_axi_bid,
    input  wire logic [1:0]            m_axi_bresp,
    input  wire logic                  m_axi_bvalid,
    output      logic                  m_axi_bready,
    output      logic                  m_axi_arid,
    output      logic [39:0]  m_axi_araddr,
    output      logic [7:0]            m_axi_arlen,
    output      logic [2:0]            m_axi_arsize,
    output      logic [1:0]            m_axi_arburst,
    output      logic                  m_axi_arvalid,
    input  wire logic                  m_axi_arready,
    input  wire logic                  m_axi_rid,
    input  wire logic [31:0]           m_axi_rdata,
    input  wire logic [1:0]            m_axi_rresp,
    input  wire logic                  m_axi_rlast,
    input  wire logic                  m_axi_rvalid,
    output      logic                  m_axi_rready,
    // firmware image
    input  wire logic                  image_valid_i,
    output      logic                  image_ready_o,
    input  wire logic [31:0]           image_data_i,
    input  wire logic                  image_last_i,
    // cores
    output      logic [2:0]        core_start_valid_o,
    input  wire logic [2:0]        core_start_ready_i,
    output      logic [2:0][63:0]  core_job_o,         // address of the job block, while the core is busy
    output      logic [2:0][7:0]   core_function_o,
    output      logic [2:0]        core_reset_o,
    input  wire logic [2:0]        core_done_i,
    input  wire logic [2:0][7:0]   core_result_i,
    input  wire logic [2:0][31:0]  core_detail_i,
    input  wire logic [2:0][31:0]  core_bytes_i,
    // a job block that will not change any more
    output      logic                  announce_o,
    output      logic [47:0]           announce_address_o,
    output      logic [7:0]            announce_function_o,
    output      logic [7:0]            announce_kind_o,
    // counted elsewhere
    input  wire logic                  dropped_i,          // the link dropped a write to the firmware's area
    input  wire logic [31:0]           read_kib_i,         // of device memory, by all clients
    input  wire logic [31:0]           write_kib_i,
    input  wire logic [31:0]           ecc_corrected_i,
    input  wire logic [31:0]           ecc_uncorrected_i,
    input  wire logic [31:0]           link_drops_i,
    // encode core, in the cores' clock: its start, its end, its memory (docs/rtl_encode_core.md)
    input  wire logic                  core_clk,
    input  wire logic                  encode_start_valid_i,
    output      logic                  encode_start_ready_o,
    input  wire logic [63:0]           encode_job_i,       // address of the job block in device memory
    input  wire logic [31:0]           encode_base_i,      // of the function's window
    output      logic                  encode_done_o,      // pulse, with the three behind it
    output      logic [7:0]            encode_result_o,
    output      logic [31:0]           encode_detail_o,
    output      logic [31:0]           encode_bytes_o,
    output      logic                  encode_read_valid_o,
    input  wire logic                  encode_read_ready_i,
    output      logic [31:0]           encode_read_address_o,
    input  wire logic                  encode_read_data_valid_i,
    input  wire logic [63:0]           encode_read_data_i,
    output      logic                  encode_write_valid_o,
    input  wire logic                  encode_write_ready_i,
    output      logic [31:0]           encode_write_address_o,
    output      logic [63:0]           encode_write_data_o,
    output      logic [7:0]            encode_write_strobe_o
);

  // Core 0 encodes, 1 scales, 2 decodes: the parameters of `control` as they stand, those of the chip `tiny`.
  control i_control (
      .clk, .rst_n, .s_axil_awvalid, .s_axil_awready, .s_axil_awaddr, .s_axil_wvalid,
      .s_axil_wready, .s_axil_wdata, .s_axil_wstrb, .s_axil_bvalid, .s_axil_bready, .s_axil_bresp,
      .s_axil_arvalid, .s_axil_arready, .s_axil_araddr, .s_axil_rvalid, .s_axil_rready, .s_axil_rdata,
      .s_axil_rresp, .event_o, .m_axi_awid, .m_axi_awaddr, .m_axi_awlen, .m_axi_awsize,
      .m_axi_awburst, .m_axi_awvalid, .m_axi_awready, .m_axi_wdata, .m_axi_wstrb, .m_axi_wlast,
      .m_axi_wvalid, .m_axi_wready, .m_axi_bid, .m_axi_bresp, .m_axi_bvalid, .m_axi_bready,
      .m_axi_arid, .m_axi_araddr, .m_axi_arlen, .m_axi_arsize, .m_axi_arburst, .m_axi_arvalid,
      .m_axi_arready, .m_axi_rid, .m_axi_rdata, .m_axi_rresp, .m_axi_rlast, .m_axi_rvalid,
      .m_axi_rready, .image_valid_i, .image_ready_o, .image_data_i, .image_last_i, .core_start_valid_o,
      .core_start_ready_i, .core_job_o, .core_function_o, .core_reset_o, .core_done_i, .core_result_i,
      .core_detail_i, .core_bytes_i, .announce_o, .announce_address_o, .announce_function_o, .announce_kind_o,
      .dropped_i, .read_kib_i, .write_kib_i, .ecc_corrected_i, .ecc_uncorrected_i, .link_drops_i
  );

  encode_core_device i_encode_core_device (
      .clk(core_clk), .rst_n,
      .start_valid_i(encode_start_valid_i), .start_ready_o(encode_start_ready_o), .job_i(encode_job_i),
      .base_i(encode_base_i), .done_o(encode_done_o), .result_o(encode_result_o), .detail_o(encode_detail_o),
      .bytes_o(encode_bytes_o), .read_valid_o(encode_read_valid_o),
      .read_ready_i(encode_read_ready_i), .read_address_o(encode_read_address_o),
      .read_data_valid_i(encode_read_data_valid_i), .read_data_i(encode_read_data_i),
      .write_valid_o(encode_write_valid_o), .write_ready_i(encode_write_ready_i),
      .write_address_o(encode_write_address_o), .write_data_o(encode_write_data_o),
      .write_strobe_o(encode_write_strobe_o)
  );

endmodule

`default_nettype wire
