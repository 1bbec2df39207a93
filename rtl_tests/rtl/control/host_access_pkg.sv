// Made by `python -m asic_model.registers.generate` from asic_model/registers/tasic.rdl; do not edit.

// Which registers the host may write; the bridge drops and counts other writes.
package host_access_pkg;
    function automatic logic host_may_write(input logic [11:0] address);
        casez (address)
            default: return 1'b0;
        endcase
    endfunction
endpackage
